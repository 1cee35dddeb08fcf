// The console's icons: strokes on a 24-unit grid, decoration only (labels stand beside them).

const PATHS = {
  overview: "M4 13a8 8 0 0 1 16 0M7.5 13a4.5 4.5 0 0 1 9 0M12 13v7",
  devices: "M3 6h12v9H3zM7 19h4M9 15v4M17.5 9H21v10h-5v-5",
  library: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  sessions: "M3 12h4l2.5-7 4 14 2.5-7H21",
  displays: "M3 5h18v11H3zM8 20h8M12 16v4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  logs: "M5 6h14M5 11h14M5 16h9",
  diagnostics:
    "M12 21s-7-4.6-8.6-9.2C2 7.4 5 4.5 8 4.5c1.8 0 3.2 1 4 2.3.8-1.3 2.2-2.3 4-2.3 3 0 6 2.9 4.6 7.3C19 16.4 12 21 12 21zM7 11.5h2.5l1.5-2.5 2 5 1.5-2.5H17",
  owner: "M11 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0zM11 12h9.5v3.5M16.5 12v3",
  updates: "M12 4v10M8 10.5l4 4 4-4M5 19h14",
  about: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 7.8v.01",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5 20 20",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19.5 7",
  play: "M8 5.5v13l10.5-6.5z",
  stop: "M7 7h10v10H7z",
  edit: "M5 19h3.5L19 8.5 15.5 5 5 15.5zM13 7.5l3.5 3.5",
  hide: "M4 4l16 16M9.5 5.7A9.7 9.7 0 0 1 21 12a13 13 0 0 1-2.7 3.6M6 7.7A13 13 0 0 0 3 12a9.7 9.7 0 0 0 12.5 5.6",
  show: "M3 12s3.5-6.5 9-6.5S21 12 21 12s-3.5 6.5-9 6.5S3 12 3 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  left: "M14.5 5.5 8 12l6.5 6.5",
  right: "M9.5 5.5 16 12l-6.5 6.5",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  restart: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4v5h-5",
  warning: "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.01",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5V5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3 7 7M17 17l1.7 1.7M18.7 5.3 17 7M7 17l-1.7 1.7",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  logout: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
  pause: "M8 5.5v13M16 5.5v13",
  download: "M12 4v10M8 10.5l4 4 4-4M5 19h14",
  undo: "M8 5 4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-3",
  trash: "M5 7h14M9.5 7V4h5v3M7 7l1 13h8l1-13",
  move: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M9 8.5v.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = "size-5" }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      className={`shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "more" ? 3 : 1.75}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
