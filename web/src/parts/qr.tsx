// A QR code from rows of "0" and "1", as one path; always dark on white, with the quiet zone
// of four modules that scanners need.

/** The path of all dark modules: one rectangle for each run in a row. */
export function path(rows: readonly string[]): string {
  let out = "";
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g)) {
      out += `M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`;
    }
  });
  return out;
}

export function Qr({
  rows,
  label,
  className,
}: {
  rows: readonly string[];
  label: string;
  className?: string;
}) {
  const side = rows.length + 8;
  return (
    <svg
      viewBox={`-4 -4 ${side} ${side}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
      className={className}
    >
      <rect x="-4" y="-4" width={side} height={side} fill="#fff" />
      <path d={path(rows)} fill="#000" />
    </svg>
  );
}
