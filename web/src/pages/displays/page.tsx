// Displays and encoders: what was tried on this machine, what is used, and why not the rest.
import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { Choice, EncoderChoice } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { Badge, Empty, PageHead, Panel, Status, type Tone } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { t } from "../../strings";
import { millis } from "../../strings/format";

const TONES: Record<Choice["state"], Tone> = {
  chosen: "accent",
  available: "info",
  unavailable: "dim",
};

export function DisplaysPage() {
  const displays = useQuery(queries.displays);
  return (
    <>
      <PageHead title={t("nav.displays")} lead={t("displays.lead")}>
        <LinkButton to="/settings" icon="settings">
          {t("nav.settings")}
        </LinkButton>
        <LinkButton to="/diagnostics" icon="diagnostics">
          {t("nav.diagnostics")}
        </LinkButton>
      </PageHead>
      <Shown query={displays}>
        {(data) => (
          <div className="grid gap-6 xl:grid-cols-2 xl:items-start">
            <Panel id="screens" title={t("displays.screens")} lead={t("displays.screens_lead")}>
              <Choices choices={data.displays} />
            </Panel>
            <Panel id="encoders" title={t("displays.encoders")} lead={t("displays.encoders_lead")}>
              <Choices choices={data.encoders} />
            </Panel>
          </div>
        )}
      </Shown>
    </>
  );
}

const ORDER: readonly Choice["state"][] = ["chosen", "available", "unavailable"];

function Choices({ choices }: { choices: readonly (Choice | EncoderChoice)[] }) {
  if (choices.length === 0)
    return (
      <Empty inside title={t("displays.none")}>
        {t("displays.none_lead")}
      </Empty>
    );
  const sorted = [...choices].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return (
    <ul className="flex flex-col divide-y divide-line">
      {sorted.map((choice) => (
        <li key={choice.id} className="py-4 first:pt-0 last:pb-0">
          <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
            <h3 className={`font-semibold ${choice.state === "unavailable" ? "text-dim" : ""}`}>
              {choice.title}
            </h3>
            <Status tone={TONES[choice.state]}>{t(`displays.${choice.state}`)}</Status>
          </div>
          {"codec" in choice && <Traits encoder={choice} />}
          <p className="mt-1 text-sm text-dim">
            <Marked text={choice.reason} />
          </p>
        </li>
      ))}
    </ul>
  );
}

function Traits({ encoder }: { encoder: EncoderChoice }) {
  // What the title says already is not said again.
  const title = encoder.title.toLowerCase();
  const traits = [encoder.codec, t("displays.bits", { n: encoder.bit_depth }), encoder.chroma];
  return (
    <p className="mt-1.5 mb-1.5 flex flex-wrap items-center gap-1.5">
      {traits
        .filter((trait) => !title.includes(trait.toLowerCase()))
        .map((trait) => (
          <Badge key={trait}>{trait}</Badge>
        ))}
      <Badge>{encoder.hardware ? t("displays.hardware") : t("displays.software")}</Badge>
      {typeof encoder.ms_per_frame === "number" && (
        <Badge tone="accent">{t("displays.frame", { ms: millis(encoder.ms_per_frame) })}</Badge>
      )}
    </p>
  );
}
