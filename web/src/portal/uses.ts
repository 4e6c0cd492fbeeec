/** How many calls a code still allows. */
export function usesInWords(uses: number): string {
  if (uses <= 0) return "No calls left";
  return uses === 1 ? "1 call left" : `${uses} calls left`;
}
