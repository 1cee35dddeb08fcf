// A text of the host in which backticks mark what is typed as it stands. Nothing else is marked
// up: the host sends no HTML.
import { Fragment, type ReactNode } from "react";

export function Marked({ text }: { text: string }): ReactNode {
  const parts = text.split("`");
  // One without its other is a backtick.
  if (parts.length % 2 === 0) return text;
  return parts.map((part, index) =>
    index % 2 === 1 ? (
      <code key={index} className="font-mono text-[0.94em]">
        {part}
      </code>
    ) : (
      <Fragment key={index}>{part}</Fragment>
    ),
  );
}
