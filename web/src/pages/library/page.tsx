// The library: everything that can be played, with its art; searched, arranged, hidden,
// changed, started and quit.
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { apps as api } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { App, Scan } from "../../api/types";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { CheckBox } from "../../parts/field";
import { Icon } from "../../parts/icons";
import { Empty, Notice, PageHead } from "../../parts/layout";
import { t, tn } from "../../strings";
import { AppDialog } from "./app";
import { Arrange } from "./arrange";
import { Card } from "./card";
import { EditDialog } from "./edit";
import { search } from "./search";

export function refreshApps(): Promise<void> {
  return client.invalidateQueries({ queryKey: queries.apps.queryKey });
}

export function LibraryPage() {
  const apps = useQuery(queries.apps);
  const [mode, setMode] = useState<"look" | "arrange">("look");
  const [adding, setAdding] = useState(false);
  const [found, setFound] = useState<Scan>();
  const scan = useAction(
    async () => {
      setFound(await api.scan());
      await refreshApps();
    },
    { aloud: true },
  );
  return (
    <>
      <PageHead title={t("nav.library")} lead={t("library.lead")}>
        <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
          {t("library.add")}
        </Button>
        <Button icon="restart" busy={scan.busy} onClick={() => void scan.run()}>
          {t("library.scan")}
        </Button>
        <Button
          icon={mode === "arrange" ? "check" : "move"}
          aria-pressed={mode === "arrange"}
          onClick={() => setMode(mode === "arrange" ? "look" : "arrange")}
        >
          {mode === "arrange" ? t("library.arranged") : t("library.arrange")}
        </Button>
      </PageHead>
      <div role="status" className="mb-6 empty:hidden">
        {found && <Found scan={found} onClose={() => setFound(undefined)} />}
      </div>
      <Shown query={apps}>
        {(data) => (mode === "arrange" ? <Arrange apps={data.apps} /> : <Grid apps={data.apps} />)}
      </Shown>
      {adding && <EditDialog onClose={() => setAdding(false)} />}
    </>
  );
}

function Found({ scan, onClose }: { scan: Scan; onClose: () => void }) {
  return (
    <Notice
      tone={scan.problems.length > 0 ? "warning" : "ok"}
      title={tn("library.found", scan.found)}
      actions={
        <Button look="quiet" onClick={onClose}>
          {t("action.close")}
        </Button>
      }
    >
      {scan.problems.length > 0 && (
        <ul className="list-disc pl-4">
          {scan.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

function Grid({ apps }: { apps: App[] }) {
  const [text, setText] = useState("");
  const [withHidden, setWithHidden] = useState(false);
  const [open, setOpen] = useState<string>();
  const wanted = useDeferredValue(text);
  const shown = search(apps, wanted, withHidden);
  const hidden = apps.filter((app) => app.hidden).length;
  const opened = apps.find((app) => app.id === open);
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center gap-x-6 gap-y-2">
        <div className="relative w-full max-w-sm">
          <Icon name="search" className="absolute top-3 left-3 size-5 text-dim" />
          <input
            type="search"
            aria-label={t("library.search")}
            placeholder={t("library.search")}
            className="control pl-10"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        {hidden > 0 && (
          <CheckBox
            label={tn("library.hidden", hidden)}
            checked={withHidden}
            onCheck={setWithHidden}
          />
        )}
      </div>
      <p className="sr-only" role="status">
        {wanted && tn("library.matches", shown.length)}
      </p>
      {shown.length === 0 ? (
        <Empty
          title={text ? t("library.no_match", { text }) : t("library.empty")}
          actions={
            text ? <Button onClick={() => setText("")}>{t("library.clear")}</Button> : undefined
          }
        >
          {text ? undefined : t("library.empty_lead")}
        </Empty>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(9rem,1fr))] gap-x-4 gap-y-6 sm:grid-cols-[repeat(auto-fill,minmax(11rem,1fr))] sm:gap-x-5">
          {shown.map((app) => (
            <Card key={app.id} app={app} onOpen={() => setOpen(app.id)} />
          ))}
        </ul>
      )}
      {opened && <AppDialog app={opened} onClose={() => setOpen(undefined)} />}
    </>
  );
}
