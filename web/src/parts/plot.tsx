// A moving plot on uPlot: draws a `Series` whenever it grows, in the colours of the theme.
// The legend and the words for screen readers stand beside it in HTML.
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Series } from "./series";

export interface PlotProps {
  series: Series;
  /** What a screen reader says about it. */
  label: string;
  /** Writes a value of the y axis. */
  format: (value: number) => string;
  stacked?: boolean;
  /** The y axis reaches at least to here. */
  least?: number;
}

/** Colour number `index` of a plot (a CSS variable). */
export function colour(index: number): string {
  return `--plot-${(index % 6) + 1}`;
}

export function Plot({ series, label, format, stacked = false, least = 1 }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useThemeCount();
  useEffect(() => {
    const target = box.current;
    // `theme` is read so that another theme draws anew.
    if (target === null || theme < 0) return;
    const plot = new uPlot(
      options(series, target, { format, stacked, least }),
      data(series, stacked),
      target,
    );
    const end = series.subscribe(() => plot.setData(data(series, stacked)));
    const sized = new ResizeObserver(() =>
      plot.setSize({ width: target.clientWidth, height: target.clientHeight }),
    );
    sized.observe(target);
    return () => {
      end();
      sized.disconnect();
      plot.destroy();
    };
  }, [series, format, stacked, least, theme]);
  return (
    <div ref={box} role="img" aria-label={label} className="h-44 w-full min-w-0 overflow-hidden" />
  );
}

function data(series: Series, stacked: boolean): uPlot.AlignedData {
  const [x, ...columns] = series.columns(stacked);
  // The largest sum is drawn first, so that each part lies before it.
  return [x, ...(stacked ? columns.reverse() : columns)] as uPlot.AlignedData;
}

function options(
  series: Series,
  target: HTMLElement,
  {
    format,
    stacked,
    least,
  }: { format: (value: number) => string; stacked: boolean; least: number },
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  const rem = Number.parseFloat(style.fontSize) || 16;
  const font = `${Math.round(rem * 0.72)}px ${value("--font-sans")}`;
  const order = series.names.map((name, index) => ({ name, index }));
  if (stacked) order.reverse();
  const axis = {
    stroke: value("--dim"),
    font,
    ticks: { show: false },
    grid: { stroke: value("--line"), width: 1 },
  };
  return {
    width: target.clientWidth,
    height: target.clientHeight,
    cursor: { show: false },
    legend: { show: false },
    padding: [rem * 0.6, rem, 0, 0],
    scales: {
      x: { time: false, range: [-60, 0] },
      y: { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: rem * 1.8,
        // Its first value stands below the lowest one of the other axis.
        gap: Math.round(rem * 0.65),
        splits: () => [-60, -45, -30, -15, 0],
        values: (_, splits) => splits.map((at) => `${at} s`),
      },
      { ...axis, size: rem * 4.6, space: rem * 2.2, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...order.map(({ name, index }) => ({
        label: name,
        stroke: value(colour(index)),
        width: stacked ? 1 : 2,
        points: { show: false },
        ...(stacked ? { fill: value(colour(index)) } : {}),
      })),
    ],
  };
}

/** Counts how often the theme changed. */
function useThemeCount(): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const again = () => setCount((n) => n + 1);
    const media = window.matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", again);
    window.addEventListener("themechange", again);
    return () => {
      media.removeEventListener("change", again);
      window.removeEventListener("themechange", again);
    };
  }, []);
  return count;
}
