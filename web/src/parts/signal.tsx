// The dot and its waves: punktfunk's mark, the pattern behind large surfaces, and the picture
// that stands for an application without box art. Drawn from circles only.

interface Dot {
  x: number;
  y: number;
  ring: number;
}

/** Dots on `rings` quarter circles around the origin, up and to the right. */
export function quarter(rings: number, step: number): Dot[] {
  const out: Dot[] = [];
  for (let ring = 1; ring <= rings; ring++) {
    const dots = ring + 1;
    for (let index = 0; index <= dots; index++) {
      const angle = (index / dots) * (Math.PI / 2);
      out.push({ x: Math.cos(angle) * ring * step, y: -Math.sin(angle) * ring * step, ring });
    }
  }
  return out;
}

/** The mark: one dot that sends. `live` lets the waves run. */
export function Mark({
  className = "size-8",
  live = false,
}: {
  className?: string;
  live?: boolean;
}) {
  return (
    <svg viewBox="-5 -27 32 32" className={`shrink-0 ${className}`} aria-hidden="true">
      <g fill="currentColor">
        <circle cx="0" cy="0" r="4.4" />
        {quarter(2, 10.4).map((dot, index) => (
          <circle
            key={index}
            cx={dot.x}
            cy={dot.y}
            r={dot.ring === 1 ? 2.3 : 1.7}
            opacity={dot.ring === 1 ? 1 : 0.6}
            className={live ? `wave-${dot.ring + 1}` : undefined}
          />
        ))}
      </g>
    </svg>
  );
}

const FIELD = quarter(17, 13);

/** Waves of dots over a whole surface, from its lower left corner. */
export function Waves({ className, live = false }: { className?: string; live?: boolean }) {
  return (
    <svg
      viewBox="-6 -186 248 192"
      preserveAspectRatio="xMinYMax slice"
      className={className}
      aria-hidden="true"
    >
      <g fill="currentColor">
        <circle cx="0" cy="0" r="5.5" />
        {FIELD.map((dot, index) => (
          <circle
            key={index}
            cx={dot.x}
            cy={dot.y}
            r={Math.max(0.7, 2.5 - dot.ring * 0.11)}
            opacity={Math.max(0.12, 0.95 - dot.ring * 0.055)}
            className={live ? `wave-${((dot.ring - 1) % 4) + 1}` : undefined}
          />
        ))}
      </g>
    </svg>
  );
}

/** A number from a text, the same every time (FNV-1a). */
export function seed(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** A picture for what has none: dots around a place and in a colour that the title chooses. */
export function Cover({ title, className }: { title: string; className?: string }) {
  const from = seed(title);
  const hue = from % 360;
  const [cx, cy] = [((from >>> 8) % 60) + 20, ((from >>> 16) % 90) + 30];
  const dots = [];
  for (let y = 7; y < 150; y += 9) {
    for (let x = 5; x < 100; x += 9) {
      const away = Math.hypot(x - cx, y - cy);
      const wave = (Math.cos(away / 7.5) + 1) / 2;
      dots.push(
        <circle key={`${x},${y}`} cx={x} cy={y} r={0.6 + wave * 2.6 * Math.exp(-away / 90)} />,
      );
    }
  }
  return (
    <svg
      viewBox="0 0 100 150"
      preserveAspectRatio="xMidYMid slice"
      className={className}
      aria-hidden="true"
    >
      <rect width="100" height="150" fill={`hsl(${hue} 32% 17%)`} />
      <g fill={`hsl(${hue} 62% 68%)`}>{dots}</g>
    </svg>
  );
}
