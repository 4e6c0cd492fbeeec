import { Container, Stack, Text, Title } from "@mantine/core";
import { useEffect, useRef, type ReactNode } from "react";

export function Page({ size = 560, children }: { size?: number; children: ReactNode }) {
  return (
    <Container size={size} px="md" py={{ base: "lg", sm: 48 }}>
      <Stack gap="lg">{children}</Stack>
    </Container>
  );
}

/** The heading that names the page, in the tab too; it takes the focus, so that a change of page is noticed. */
export function PageTitle({ children, lead, focus = true }: { children: string; lead?: ReactNode; focus?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} – Parley`;
    if (focus) heading.current?.focus({ preventScroll: true });
  }, [children, focus]);
  return (
    <div>
      <Title order={1} ref={heading} tabIndex={-1}>
        {children}
      </Title>
      {lead && (
        <Text c="dimmed" mt={8} fz="lg" lh={1.5}>
          {lead}
        </Text>
      )}
    </div>
  );
}
