// The library's order: by drag, by the buttons beside each title, or by holding Alt and
// pressing an arrow. Every move is sent at once, and read out.
import { type DragEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { apps as api } from "../../api/api";
import type { App } from "../../api/types";
import { useAction } from "../../parts/action";
import { announce } from "../../parts/announce";
import { IconButton } from "../../parts/button";
import { t, told } from "../../strings";
import { refreshApps } from "./page";
import { moved } from "./search";

export function Arrange({ apps }: { apps: App[] }) {
  const [order, setOrder] = useState(apps);
  const [dragged, setDragged] = useState<string>();
  const save = useAction(
    async (next: App[]) => {
      await api.reorder(next.map((app) => app.id));
      await refreshApps();
    },
    { aloud: true },
  );
  useEffect(() => setOrder(apps), [apps]);
  const move = async (from: number, to: number) => {
    const app = order[from];
    if (!app || to < 0 || to >= order.length || from === to) return;
    const next = moved(order, from, to);
    setOrder(next);
    announce(t("arrange.moved", { title: app.title, at: to + 1, of: order.length }));
    if (!(await save.run(next))) setOrder(apps);
  };
  return (
    <>
      <p className="mb-4 max-w-2xl text-dim">{t("arrange.help")}</p>
      <ol className="flex max-w-3xl flex-col gap-2">
        {order.map((app, index) => (
          <Row
            key={app.id}
            app={app}
            index={index}
            last={index === order.length - 1}
            dragged={dragged === app.id}
            onMove={(to) => void move(index, to)}
            onDrag={(on) => setDragged(on ? app.id : undefined)}
            onDrop={() =>
              void move(
                order.findIndex((one) => one.id === dragged),
                index,
              )
            }
          />
        ))}
      </ol>
    </>
  );
}

function Row({
  app,
  index,
  last,
  dragged,
  onMove,
  onDrag,
  onDrop,
}: {
  app: App;
  index: number;
  last: boolean;
  dragged: boolean;
  onMove: (to: number) => void;
  onDrag: (on: boolean) => void;
  onDrop: () => void;
}) {
  const row = useRef<HTMLLIElement>(null);
  const [over, setOver] = useState(false);
  const key = (event: KeyboardEvent) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    onMove(index + (event.key === "ArrowUp" ? -1 : 1));
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onDrop();
  };
  return (
    <li
      ref={row}
      draggable
      onDragStart={(event) => {
        event.dataTransfer.effectAllowed = "move";
        onDrag(true);
      }}
      onDragEnd={() => onDrag(false)}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      onKeyDown={key}
      className={`flex cursor-grab items-center gap-3 rounded-control border bg-panel py-1 pr-1 pl-4 ${over ? "border-accent" : "border-line"} ${dragged ? "opacity-50" : ""}`}
    >
      <span className="w-7 text-right text-dim" aria-hidden="true">
        {index + 1}
      </span>
      <span className="min-w-0 flex-1 truncate font-medium">{app.title}</span>
      <span className="hidden text-sm text-dim sm:block">
        {told(`source.${app.source}`, app.source)}
      </span>
      <IconButton
        icon="left"
        className="rotate-90"
        label={t("arrange.up", { title: app.title })}
        aria-disabled={index === 0}
        onClick={() => onMove(index - 1)}
      />
      <IconButton
        icon="right"
        className="rotate-90"
        label={t("arrange.down", { title: app.title })}
        aria-disabled={last}
        onClick={() => onMove(index + 1)}
      />
    </li>
  );
}
