// Devices and pairing: who waits to be let in, how a new device is added, and what each paired
// device may do.
import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import { Shown } from "../../parts/errors";
import { Empty, PageHead, Panel } from "../../parts/layout";
import { t } from "../../strings";
import { AddDevice } from "./add";
import { DeviceRow } from "./device";
import { Waiting } from "./waiting";

export function DevicesPage() {
  const devices = useQuery(queries.devices);
  const pairing = useQuery(queries.pairing);
  return (
    <>
      <PageHead title={t("nav.devices")} lead={t("devices.lead")} />
      <div className="grid gap-6 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] xl:items-start">
        <div className="flex min-w-0 flex-col gap-6">
          <Shown query={pairing}>{(data) => <Waiting pairing={data} />}</Shown>
          <Panel id="paired" title={t("devices.paired")}>
            <Shown query={devices}>
              {(data) =>
                data.devices.length === 0 ? (
                  <Empty inside title={t("devices.none")}>
                    {t("devices.none_lead")}
                  </Empty>
                ) : (
                  <ul className="flex flex-col divide-y divide-line">
                    {data.devices.map((device) => (
                      <DeviceRow key={device.id} device={device} />
                    ))}
                  </ul>
                )
              }
            </Shown>
          </Panel>
        </div>
        {pairing.data && <AddDevice open={pairing.data.window ?? undefined} />}
      </div>
    </>
  );
}
