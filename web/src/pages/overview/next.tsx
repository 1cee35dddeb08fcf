// The first steps of a new owner: get a client, pair it, play. Shown until something is paired.
import type { Host } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Panel } from "../../parts/layout";
import { t } from "../../strings";

export function NextSteps({ host }: { host: Host }) {
  const steps = [
    { title: t("next.client"), lead: t("next.client_lead") },
    {
      title: t("next.pair"),
      lead: t("next.pair_lead", { address: host.addresses[0] ?? host.name }),
      action: (
        <LinkButton to="/devices" look="primary" icon="plus">
          {t("next.pair_action")}
        </LinkButton>
      ),
    },
    {
      title: t("next.play"),
      lead: t("next.play_lead"),
      action: <LinkButton to="/library">{t("next.play_action")}</LinkButton>,
    },
  ];
  return (
    <Panel id="next" title={t("next.title")} lead={t("next.lead")}>
      <ol className="flex flex-col">
        {steps.map((step, index) => (
          <li key={step.title} className="relative flex gap-4 pb-7 last:pb-0">
            {index < steps.length - 1 && (
              <span
                aria-hidden="true"
                className="absolute top-10 bottom-1 left-[1.06rem] border-l-2 border-dotted border-edge"
              />
            )}
            <span
              aria-hidden="true"
              className="flex size-9 shrink-0 items-center justify-center rounded-full bg-accent font-semibold text-on-accent"
            >
              {index + 1}
            </span>
            <div className="min-w-0">
              <h3 className="pt-1 font-semibold">{step.title}</h3>
              <p className="mt-1 mb-3 text-dim">{step.lead}</p>
              {step.action}
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
