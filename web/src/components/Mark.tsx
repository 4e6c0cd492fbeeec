/** The product's sign; the same drawing as public/favicon.svg. */
export function Mark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" width={28} height={28} aria-hidden className={className}>
      <rect width="32" height="32" rx="8" fill="#146a66" />
      <path
        d="M10 24V8h7a5.5 5.5 0 0 1 0 11h-7"
        fill="none"
        stroke="#fff"
        strokeWidth="3"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
