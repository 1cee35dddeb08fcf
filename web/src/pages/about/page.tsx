// Who this host is, what it can do, and the works of others that are in it.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { queries } from "../../api/queries";
import type { Host, Licence } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Badge, Facts, PageHead, Panel } from "../../parts/layout";
import { t, tn } from "../../strings";
import { groups } from "../devices/waiting";

export function AboutPage() {
  const host = useQuery(queries.host);
  const licences = useQuery(queries.licences);
  return (
    <>
      <PageHead title={t("nav.about")} lead={t("about.lead")}>
        <LinkButton to="/updates" icon="updates">
          {t("nav.updates")}
        </LinkButton>
      </PageHead>
      <div className="grid gap-6 xl:grid-cols-2 xl:items-start">
        <Shown query={host}>{(data) => <Identity host={data} />}</Shown>
        <Shown query={licences}>{(data) => <Licences licences={data.licences} />}</Shown>
      </div>
    </>
  );
}

function Identity({ host }: { host: Host }) {
  const print = (text: string) => <code className="font-mono text-sm break-words">{text}</code>;
  return (
    <Panel id="identity" title={host.name} lead={t("about.identity")}>
      <Facts
        rows={[
          [t("overview.version"), host.version],
          [t("about.id"), print(host.id)],
          [t("about.certificate"), print(groups(host.certificate_sha256))],
          [
            t("about.can"),
            <span key="c" className="flex flex-wrap gap-1.5">
              {host.capabilities.map((one) => (
                <Badge key={one}>{one}</Badge>
              ))}
            </span>,
          ],
        ]}
      />
    </Panel>
  );
}

function Licences({ licences }: { licences: Licence[] }) {
  const [text, setText] = useState("");
  const shown = licences.filter((one) =>
    `${one.name} ${one.licence}`.toLowerCase().includes(text.trim().toLowerCase()),
  );
  return (
    <Panel id="licences" title={t("about.licences")} lead={t("about.licences_lead")}>
      <TextField label={t("about.search")} type="search" value={text} onText={setText} />
      <p role="status" className="mt-2 mb-4 text-sm text-dim">
        {tn("about.works", shown.length)}
      </p>
      <ul className="flex flex-col divide-y divide-line">
        {shown.map((one) => (
          <li key={`${one.name} ${one.version}`} className="py-2.5">
            {one.text ? (
              <details>
                <summary className="rounded-control">
                  <Line licence={one} />
                </summary>
                <pre className="mt-3 overflow-x-auto text-xs whitespace-pre-wrap text-dim">
                  {one.text}
                </pre>
              </details>
            ) : (
              <Line licence={one} />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Line({ licence }: { licence: Licence }) {
  return (
    <>
      <span className="font-medium">{licence.name}</span>{" "}
      <span className="text-sm text-dim">
        {licence.version} · {licence.licence}
      </span>
    </>
  );
}
