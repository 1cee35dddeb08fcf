// What is said about a session in one line, for the pages that list sessions.
import type { Session, Stream } from "../../api/types";
import type { Tone } from "../../parts/layout";
import { t } from "../../strings";

export function sessionState(session: Session): { text: string; tone: Tone } {
  switch (session.state) {
    case "starting":
      return { text: t("session.starting"), tone: "info" };
    case "playing":
      return { text: t("session.playing"), tone: "accent" };
    default:
      return { text: t("session.away"), tone: "dim" };
  }
}

/** 1920 × 1080, 60 fps, HEVC */
export function streamLine(stream: Stream): string {
  return t("session.stream", {
    width: stream.width,
    height: stream.height,
    fps: stream.fps,
    codec: stream.codec,
  });
}
