// The time, for what counts down or says how long ago.
import { useEffect, useState } from "react";

/** Seconds since 1970, new every `every` milliseconds. */
export function useNow(every: number): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
