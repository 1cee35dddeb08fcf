// The pages and their addresses; each page's code is fetched when it is first opened. Who is
// not logged in is led to the login (or the claim) and back.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { client, isLoggedOut, queries } from "../api/queries";
import { Loading } from "../parts/layout";
import { Frame } from "./frame";
import { Broken, Missing } from "./lost";
import { claimSecret } from "./secret";

const root = createRootRoute({ notFoundComponent: Missing });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search): { back?: string } =>
    typeof search.back === "string" && search.back.startsWith("/") ? { back: search.back } : {},
  component: lazyRouteComponent(() => import("../pages/login/page"), "LoginPage"),
});

const claim = createRoute({
  getParentRoute: () => root,
  path: "/claim",
  component: lazyRouteComponent(() => import("../pages/login/claim"), "ClaimPage"),
});

const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Frame,
  errorComponent: Broken,
  beforeLoad: async ({ location }) => {
    try {
      await client.ensureQueryData(queries.me);
    } catch (error) {
      if (!isLoggedOut(error)) throw error;
      // Never from the cache: it may have been claimed, or reset, meanwhile.
      const host = await client.fetchQuery({ ...queries.public, staleTime: 0 });
      if (!host.claimed || claimSecret() !== "") throw redirect({ to: "/claim" });
      const back = location.href === "/" ? {} : { back: location.href };
      throw redirect({ to: "/login", search: back });
    }
  },
});

const child = () => inside;

const pages = [
  createRoute({
    getParentRoute: child,
    path: "/",
    component: lazyRouteComponent(() => import("../pages/overview/page"), "OverviewPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/devices",
    component: lazyRouteComponent(() => import("../pages/devices/page"), "DevicesPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/library",
    component: lazyRouteComponent(() => import("../pages/library/page"), "LibraryPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/sessions",
    component: lazyRouteComponent(() => import("../pages/sessions/page"), "SessionsPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/sessions/$session",
    component: lazyRouteComponent(() => import("../pages/sessions/session"), "SessionPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/displays",
    component: lazyRouteComponent(() => import("../pages/displays/page"), "DisplaysPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/settings",
    component: lazyRouteComponent(() => import("../pages/settings/page"), "SettingsPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/logs",
    component: lazyRouteComponent(() => import("../pages/logs/page"), "LogsPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/diagnostics",
    component: lazyRouteComponent(() => import("../pages/diagnostics/page"), "DiagnosticsPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/owner",
    component: lazyRouteComponent(() => import("../pages/owner/page"), "OwnerPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/updates",
    component: lazyRouteComponent(() => import("../pages/updates/page"), "UpdatesPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/about",
    component: lazyRouteComponent(() => import("../pages/about/page"), "AboutPage"),
  }),
  createRoute({
    getParentRoute: child,
    path: "/more",
    component: lazyRouteComponent(() => import("../pages/more/page"), "MorePage"),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([login, claim, inside.addChildren(pages)]),
  defaultPreload: "intent",
  defaultPendingComponent: Loading,
  defaultErrorComponent: Broken,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
