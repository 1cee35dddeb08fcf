// The pages that have no place at the foot of a phone, and what belongs to this browser.
import { Link } from "@tanstack/react-router";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icons";
import { PageHead, Panel } from "../../parts/layout";
import { logOut } from "../../shell/frame";
import { LanguageChoice, ThemeChoice } from "../../shell/look";
import { REST } from "../../shell/nav";
import { t } from "../../strings";

export function MorePage() {
  return (
    <>
      <PageHead title={t("nav.more")} lead={t("more.lead")} />
      <ul className="grid gap-3 sm:grid-cols-2">
        {REST.map((entry) => (
          <li key={entry.to}>
            <Link
              to={entry.to}
              className="flex h-full items-center gap-4 rounded-panel border border-line bg-panel p-4 hover:border-edge"
            >
              <Icon name={entry.icon} className="size-6 text-accent" />
              <span className="min-w-0">
                <span className="block font-semibold">{t(entry.title)}</span>
                {entry.lead && <span className="block text-sm text-dim">{t(entry.lead)}</span>}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      <Panel id="browser" title={t("more.browser")} className="mt-6">
        <div className="flex flex-wrap items-center gap-3">
          <ThemeChoice />
          <LanguageChoice />
          <Button icon="logout" onClick={() => void logOut()}>
            {t("action.logout")}
          </Button>
        </div>
      </Panel>
    </>
  );
}
