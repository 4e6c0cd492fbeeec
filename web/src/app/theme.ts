import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const harbour: MantineColorsTuple = [
  "#eaf5f4",
  "#d5ebe9",
  "#aad7d3",
  "#7cc1bc",
  "#55aea8",
  "#36978f",
  "#227f79",
  "#146a66",
  "#0c5451",
  "#073f3d",
];

/** Lines and grounds as warm as the page; the fifth edges every field, at 3 : 1 on white. */
const stone: MantineColorsTuple = [
  "#f8f7f4",
  "#f1efea",
  "#e7e4dc",
  "#dcd8ce",
  "#928e83",
  "#8a867b",
  "#6f6c63",
  "#514f49",
  "#3a3934",
  "#262522",
];

const night: MantineColorsTuple = [
  "#dbe1e0",
  "#c0c9c8",
  "#a7b2b0",
  "#7d8a88",
  "#4a5654",
  "#37413f",
  "#262f2e",
  "#1a2120",
  "#121716",
  "#0b0f0e",
];

export const theme = createTheme({
  primaryColor: "harbour",
  primaryShade: 7,
  colors: { harbour, gray: stone, dark: night },
  black: "#16201f",
  fontFamily: 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.75rem", lineHeight: "1.25" }, h2: { fontSize: "1.25rem" } },
  },
  // Nothing on a page is smaller than 14 px.
  fontSizes: { xs: "0.875rem", sm: "0.9375rem", md: "1rem", lg: "1.125rem", xl: "1.25rem" },
  defaultRadius: "md",
  radius: { md: "10px", lg: "16px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "md" } },
    Tooltip: { defaultProps: { events: { hover: true, focus: true, touch: true }, withArrow: true, openDelay: 300 } },
  },
});

/** Colours that carry meaning, one value for each scheme; every pair of text and ground is at least 4.5 : 1. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-text": "#16201f",
    "--mantine-color-dimmed": "#566462",
    "--mantine-color-placeholder": "#66716f",
    "--mantine-color-error": "#b3261e",
    "--mantine-color-anchor": "#146a66",
    "--parley-page": "#f5f4f0",
    "--parley-line": "#dddad1",
    "--parley-caller": "#e3f0ee",
    "--parley-trouble": "#fdeeec",
    "--parley-unheard": "#586462",
    "--parley-good": "#1f7a4d",
    "--parley-fair": "#9a6200",
    "--parley-poor": "#b3261e",
  },
  dark: {
    "--mantine-color-text": "#e6ebea",
    "--mantine-color-dimmed": "#a7b2b0",
    "--mantine-color-placeholder": "#94a09e",
    "--mantine-color-error": "#ff9d94",
    "--mantine-color-anchor": "#7cc1bc",
    "--mantine-color-disabled": "#37413f",
    "--mantine-color-disabled-color": "#94a09e",
    "--parley-page": "#121716",
    "--parley-line": "#313b39",
    "--parley-caller": "#17312f",
    "--parley-trouble": "#33201e",
    "--parley-unheard": "#94a09e",
    "--parley-good": "#62cf97",
    "--parley-fair": "#eeb04d",
    "--parley-poor": "#ff9d94",
  },
});
