// Made from openapi.json by `npm run types`; a test compares. Not to be changed by hand.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An application. */
        App: {
            /** @description The line for the shell, of one that the owner added. */
            command?: string | null;
            /** @description Where it starts; the home directory when absent. */
            dir?: string | null;
            /** @description Title, command and folder may be changed. */
            editable: boolean;
            /** @description Variables besides those of the seat. */
            env: {
                [key: string]: string;
            };
            /** @description There is a picture. */
            has_art: boolean;
            /** @description No client sees it. */
            hidden: boolean;
            /** @description The number that clients know it by. */
            id: string;
            /** @description How it is started, for people. */
            launch: string;
            /** @description What it is played with where the client leaves a choice. */
            prefer: components["schemas"]["Prefer"];
            /** @description What is done around a launch. */
            prep: components["schemas"]["Step"][];
            /** @description It runs now. */
            running: boolean;
            /** @description `builtin`, `config`, `custom`, `steam`, `heroic`, `lutris`, `flatpak` or `desktop`. */
            source: string;
            /** @description Its title. */
            title: string;
        };
        /** @description What is to be changed; what is left out stays. */
        AppChange: {
            /**
             * @description A line for the shell.
             * @default null
             */
            command?: string | null;
            /**
             * @description Where it starts; empty for the home directory.
             * @default null
             */
            dir?: string | null;
            /**
             * @description All variables.
             * @default null
             */
            env?: {
                [key: string]: string;
            } | null;
            /**
             * @description No client sees it.
             * @default null
             */
            hidden?: boolean | null;
            /** @default null */
            prefer?: components["schemas"]["Prefer"] | null;
            /**
             * @description All steps.
             * @default null
             */
            prep?: components["schemas"]["Step"][] | null;
            /**
             * @description Its title.
             * @default null
             */
            title?: string | null;
        };
        /** @description All applications. */
        AppList: {
            /** @description In the order clients show them, hidden ones too. */
            apps: components["schemas"]["App"][];
        };
        /**
         * @description What a probe is about.
         * @enum {string}
         */
        Area: "system" | "gpu" | "encoders" | "input" | "audio" | "display" | "network" | "host" | "desktop";
        /** @description Something newer. */
        Available: {
            /** @description What changed. */
            notes?: string | null;
            /** @description Its version. */
            version: string;
        };
        /** @description How to seal a backup. */
        BackupRequest: {
            /** @description Opens it again; at least eight characters. */
            passphrase: string;
        };
        /**
         * @description Whether something is taken.
         * @enum {string}
         */
        ChoiceState: "chosen" | "available" | "unavailable";
        /** @description All of them. */
        Choices: {
            /** @description Where pictures come from. */
            displays: components["schemas"]["DisplayChoice"][];
            /** @description What codes them. */
            encoders: components["schemas"]["EncoderChoice"][];
        };
        /** @description Makes a host one's own. */
        ClaimRequest: {
            /** @description The owner's password from now on, at least ten characters. */
            password: string;
            /** @description As the host shows it; dashes and case do not count. */
            secret: string;
        };
        /** @description A paired device. */
        Device: {
            /**
             * @description What it may do: view, pointer, keyboard, pads, clipboard, microphone, launch, power,
             *     manage.
             */
            access: string[];
            /**
             * Format: int64
             * @description When it was paired, seconds since 1970.
             */
            added: number;
            /** @description Its time is over. */
            expired: boolean;
            /**
             * Format: int64
             * @description Until when it is trusted, seconds since 1970; none: until it is revoked.
             */
            expires?: number | null;
            /** @description Its fingerprint, 64 hex digits. */
            id: string;
            /** @description The name the owner gave it; no two devices have the same. */
            name: string;
            /** @description It is connected now. */
            online: boolean;
            /** @description What it speaks. */
            protocol: components["schemas"]["Speaks"];
            /**
             * Format: int64
             * @description When it was here last, seconds since 1970.
             */
            seen?: number | null;
        };
        /** @description What is to be another. */
        DeviceChange: {
            /** @description What it may do. GameStream knows all or nothing. */
            access?: string[] | null;
            /**
             * Format: int64
             * @description Until when it is trusted, seconds since 1970; `null`: until it is revoked.
             */
            expires?: number | null;
            /** @description What to call it. */
            name?: string | null;
        };
        /** @description All devices. */
        DeviceList: {
            /** @description Oldest first. */
            devices: components["schemas"]["Device"][];
        };
        /** @description What an examination found. */
        Diagnostics: {
            /** @description In the order of the table. */
            probes: components["schemas"]["Probe"][];
            /**
             * Format: int64
             * @description When it was made, seconds since 1970; absent when none was made yet.
             */
            ran?: number | null;
        };
        /** @description A place that pictures come from. */
        DisplayChoice: {
            /** @description Names it. */
            id: string;
            /** @description Why. */
            reason: string;
            /** @description Whether it is taken. */
            state: components["schemas"]["ChoiceState"];
            /** @description For people. */
            title: string;
        };
        /** @description Something that codes a kind of picture. */
        EncoderChoice: {
            /**
             * Format: int32
             * @description 8 or 10.
             */
            bit_depth: number;
            /** @description `4:2:0` or `4:4:4`. */
            chroma: string;
            /** @description `H.264`, `HEVC` or `AV1`. */
            codec: string;
            /** @description Done by the graphics card. */
            hardware: boolean;
            /** @description Names it. */
            id: string;
            /**
             * Format: double
             * @description What a picture of 320x180 took when it was tried, milliseconds.
             */
            ms_per_frame?: number | null;
            /** @description Why. */
            reason: string;
            /** @description Whether it is taken. */
            state: components["schemas"]["ChoiceState"];
            /** @description For people. */
            title: string;
        };
        /** @description What to look at. */
        Examination: {
            area?: components["schemas"]["Area"] | null;
        };
        /** @description The numbers of a stream over its last second, or over all of it. */
        Figures: {
            /**
             * Format: int64
             * @description When, milliseconds of the monotonic clock.
             */
            at_ms: number;
            /**
             * Format: int64
             * @description What was sent, kbit/s.
             */
            bitrate_kbps: number;
            /**
             * Format: int64
             * @description Bytes of datagrams since the stream began.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Access units since the stream began that were thrown away before they were sent.
             */
            dropped_batches: number;
            /**
             * Format: double
             * @description Pictures a second, those that only say that nothing changed left out.
             */
            fps: number;
            /**
             * Format: int64
             * @description Access units since the stream began.
             */
            frames: number;
            /** @description Where the time goes. */
            latency_ms: components["schemas"]["Stages"];
            /** @description What the bitrate is limited by. */
            limiter?: string | null;
            /**
             * Format: double
             * @description Datagrams that did not arrive, percent.
             */
            loss_percent: number;
            /**
             * Format: int64
             * @description Of those, as far as the client told, lost.
             */
            lost_frames: number;
            /**
             * Format: double
             * @description Datagrams of parity for each with data, percent.
             */
            parity_percent: number;
            /**
             * Format: int64
             * @description Since the stream began: datagrams restored or sent again (punktfunk/1), pictures
             *     restored (GameStream).
             */
            repaired: number;
            /**
             * Format: double
             * @description There and back, milliseconds.
             */
            rtt_ms?: number | null;
        };
        /** @description Something that was found about a host. */
        Finding: {
            /** @description What mends it. */
            fix?: string | null;
            /** @description Names the probe that found it. */
            id: string;
            /** @description How bad it is. */
            severity: components["schemas"]["FindingSeverity"];
            /** @description In one line. */
            title: string;
        };
        /**
         * @description How bad a finding is.
         * @enum {string}
         */
        FindingSeverity: "ok" | "info" | "warning" | "error";
        /** @description How a host is. */
        Health: {
            /** @description What was found, worst first. */
            findings: components["schemas"]["Finding"][];
            /** @description The worst of the findings. */
            state: components["schemas"]["HealthState"];
        };
        /**
         * @description One word for how a host is.
         * @enum {string}
         */
        HealthState: "ok" | "warning" | "error";
        /** @description A host. */
        Host: {
            /** @description Where it can be reached. */
            addresses: string[];
            /**
             * @description Kinds of picture that can be had: `h264`, `hevc`, `av1`, with `-10` for 10 bit and
             *     `-444` for full chroma.
             */
            capabilities: string[];
            /** @description Of the console's certificate, 64 hex digits. */
            certificate_sha256: string;
            /**
             * Format: int32
             * @description TCP port of console and API.
             */
            console_port: number;
            /** @description Paired devices. */
            devices: number;
            /** @description GameStream clients are served, too. */
            gamestream: boolean;
            /**
             * Format: int32
             * @description TCP port of GameStream's HTTP.
             */
            gamestream_port: number;
            /** @description How it is. */
            health: components["schemas"]["Health"];
            /** @description Stays the same for the life of the state directory. */
            id: string;
            /** @description The name clients show. */
            name: string;
            /**
             * Format: int32
             * @description UDP port of punktfunk/1.
             */
            native_port: number;
            /** @description Something was set that counts from the next start. */
            restart_needed: boolean;
            /** @description Applications that run. */
            sessions: number;
            /**
             * Format: int64
             * @description Seconds.
             */
            uptime: number;
            /** @description Of the program. */
            version: string;
        };
        /** @description How long something took, milliseconds; at most an eighth too high. */
        Latency: {
            /**
             * Format: double
             * @description None took longer.
             */
            max: number;
            /**
             * Format: double
             * @description Half of them took no longer.
             */
            p50: number;
            /**
             * Format: double
             * @description 95 of 100 took no longer.
             */
            p95: number;
        };
        /** @description Whom an application is started for. */
        LaunchFor: {
            /**
             * @description The device, by its id; the one seen last when absent.
             * @default null
             */
            device?: string | null;
        };
        /** @description Something the programs or the console are made of. */
        Licence: {
            /** @description As an SPDX expression. */
            licence: string;
            /** @description Its name. */
            name: string;
            /** @description The licence itself. */
            text?: string | null;
            /** @description Its version. */
            version: string;
        };
        /** @description What the programs and the console are made of. */
        Licences: {
            /** @description By name. */
            licences: components["schemas"]["Licence"][];
        };
        /**
         * @description How much a line matters.
         * @enum {string}
         */
        LogLevel: "error" | "warn" | "info" | "debug" | "trace";
        /** @description A line of the log. */
        LogLine: {
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            at_ms: number;
            /** @description Its values, as text. */
            fields: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @description Counts the lines of this process, from 1.
             */
            id: number;
            /** @description How much it matters. */
            level: components["schemas"]["LogLevel"];
            /** @description What it says. */
            message: string;
            /** @description The part of the program. */
            target: string;
        };
        /** @description Lines, and where to go on. */
        LogPage: {
            /** @description Oldest first. */
            lines: components["schemas"]["LogLine"][];
            /**
             * Format: int64
             * @description What to give as `after` to get what comes next.
             */
            next: number;
        };
        /** @description The owner's password. */
        LoginRequest: {
            /** @description As it was set when the host was claimed, or changed since. */
            password: string;
        };
        /** @description Who asks. */
        Me: {
            /**
             * Format: int64
             * @description When the session ends at the latest, seconds since 1970.
             */
            expires_absolute?: number | null;
            /**
             * Format: int64
             * @description When the session ends if nothing more is asked, seconds since 1970.
             */
            expires_idle?: number | null;
            /** @description How the host knows. */
            kind: components["schemas"]["MeKind"];
            /** @description The name of the token. */
            name?: string | null;
            /** @description What one may do. */
            scope: components["schemas"]["Scope"];
        };
        /**
         * @description How the host knows who asks.
         * @enum {string}
         */
        MeKind: "browser" | "token" | "local";
        /** @description An application to be added: title and command are needed. */
        NewApp: {
            /** @description A line for the shell. */
            command: string;
            /** @description Where it starts; the home directory when absent. */
            dir?: string | null;
            /** @description Variables besides those of the seat. */
            env?: {
                [key: string]: string;
            } | null;
            prefer?: components["schemas"]["Prefer"] | null;
            /** @description What is done around a launch. */
            prep?: components["schemas"]["Step"][] | null;
            /** @description Its title. */
            title: string;
        };
        /** @description A picture. */
        NewArt: {
            /** @description The file, in Base64. */
            data: string;
            /** @description `image/png`, `image/jpeg` or `image/webp`. */
            media_type: string;
        };
        /** @description A token that was made. */
        NewToken: {
            /** @description What programs send as `Authorization: Bearer`. It is shown this once. */
            secret: string;
            /** @description The token. */
            token: components["schemas"]["Token"];
        };
        /** @description An order. */
        Order: {
            /** @description These come first; the others follow as they were. */
            ids: string[];
        };
        /** @description Everything about pairing as it is now. */
        Pairing: {
            /** @description GameStream clients that show a PIN now, oldest first. */
            attempts: components["schemas"]["PairingAttempt"][];
            /** @description Native clients that are not paired and tried to connect within the hour, oldest first. */
            knocks: components["schemas"]["PairingKnock"][];
            window?: components["schemas"]["PairingWindow"] | null;
        };
        /** @description A GameStream client that shows a PIN now. */
        PairingAttempt: {
            /** @description Where it asks from. */
            address: string;
            /** @description First 16 hex digits of the fingerprint of its certificate. */
            fingerprint: string;
            /** @description Names it. */
            id: string;
            /**
             * Format: int64
             * @description Seconds it has waited.
             */
            waiting: number;
        };
        /** @description A native client that is not paired and tried to connect. */
        PairingKnock: {
            /** @description Where it came from last. */
            address: string;
            /**
             * Format: int32
             * @description How often.
             */
            count: number;
            /**
             * Format: int64
             * @description When it tried first, seconds since 1970.
             */
            first: number;
            /** @description Its fingerprint, 64 hex digits. */
            id: string;
            /**
             * Format: int64
             * @description When it tried last, seconds since 1970.
             */
            last: number;
            /** @description What it calls itself; empty when it did not say. */
            name: string;
        };
        /** @description The PIN that a waiting client shows. */
        PairingPin: {
            /** @description What to call the client. */
            name?: string | null;
            /** @description Four digits. */
            pin: string;
        };
        /** @description What a device that pairs gets. */
        PairingTerms: {
            /** @description What it may do; all that belongs to playing when left out. */
            access?: string[] | null;
            /**
             * Format: int64
             * @description Until when it is trusted, seconds since 1970.
             */
            expires?: number | null;
            /** @description What to call it; what it calls itself when left out. */
            name?: string | null;
        };
        /** @description One native client may pair. */
        PairingWindow: {
            /** @description What it may do. */
            access: string[];
            /**
             * Format: int64
             * @description When it closes by itself, seconds since 1970.
             */
            closes: number;
            /**
             * Format: int64
             * @description Until when it is trusted, seconds since 1970.
             */
            expires?: number | null;
            /** @description Names it. */
            id: string;
            /** @description What to call the client; none: what it calls itself. */
            name?: string | null;
            /** @description The same and more as text: `punktfunk://…`. */
            payload: string;
            /**
             * @description Six digits, to be typed into the client. Empty, as payload and code are, for a caller
             *     who may not manage devices.
             */
            pin: string;
            /** @description The QR code of the payload: rows of `0` (light) and `1` (dark), without a margin. */
            qr: string[];
        };
        /** @description Another password. */
        PasswordRequest: {
            /** @description The password until now. */
            current: string;
            /** @description From now on, at least ten characters. */
            new: string;
        };
        /** @description A stream that is over. */
        Played: {
            /** @description What it showed. */
            app: components["schemas"]["PlayedApp"];
            /** @description Whom it was for. */
            device: components["schemas"]["PlayedBy"];
            /**
             * Format: int64
             * @description When it ended, in seconds since 1970.
             */
            ended: number;
            /** @description From its beginning to its end. */
            figures: components["schemas"]["Figures"];
            /**
             * Format: int64
             * @description When it began, in seconds since 1970.
             */
            started: number;
            /** @description What it was like at its end. */
            stream: components["schemas"]["StreamInfo"];
        };
        /** @description What a stream shows. */
        PlayedApp: {
            /** @description The number clients use. */
            id: string;
            /** @description Its title. */
            title: string;
        };
        /** @description Whom a stream is for. */
        PlayedBy: {
            /** @description Its fingerprint, 64 hex digits. */
            id: string;
            /** @description The name the owner gave it. */
            name: string;
            /** @description `gamestream` or `native`. */
            protocol: string;
        };
        /** @description What an application is played with where the client leaves a choice. */
        Prefer: {
            /**
             * Format: int32
             * @description 2, 6 or 8.
             * @default null
             */
            audio_channels?: number | null;
            /**
             * @description `h264`, `hevc` or `av1`.
             * @default null
             */
            codec?: string | null;
            /**
             * Format: int32
             * @description Pictures a second.
             * @default null
             */
            fps?: number | null;
            /**
             * Format: int32
             * @description Pixels; with `width`.
             * @default null
             */
            height?: number | null;
            /**
             * Format: int32
             * @description Pixels; with `height`.
             * @default null
             */
            width?: number | null;
        };
        /** @description A probe and what it saw. */
        Probe: {
            /** @description What it is about. */
            area: components["schemas"]["Area"];
            /** @description What was seen, with numbers. */
            evidence: string;
            /** @description What mends it: one command or one sentence. */
            fix?: string | null;
            /** @description The id of a fix that `doctor --fix` and the API carry out. */
            fix_action?: string | null;
            /** @description Its lasting name, `area.word`. */
            id: string;
            /** @description How bad it is. */
            severity: components["schemas"]["Severity"];
            /** @description What it looks at, in a few words. */
            title: string;
        };
        /** @description How a [`Problem`] travels. */
        Problem: {
            /** @description What went wrong. */
            error: components["schemas"]["ProblemDetail"];
        };
        /** @description What went wrong. */
        ProblemDetail: {
            /** @description Stable; for programs. */
            code: string;
            /** @description The field of the request that is wrong, as a path such as `prep[0].do`. */
            field?: string | null;
            /** @description Says what to do; for people. */
            message: string;
        };
        /** @description What everybody may know of a host. */
        PublicHost: {
            /** @description It has an owner. */
            claimed: boolean;
            /** @description The name clients show. */
            name: string;
            /** @description What to do first. */
            setup_hint: string;
            /** @description Of the program. */
            version: string;
        };
        /** @description Makes sure that this is meant. */
        ResetRequest: {
            /** @description The name of the host. */
            confirm: string;
        };
        /** @description A backup to be restored. */
        RestoreRequest: {
            /** @description The backup, in base64. */
            data: string;
            /** @description What it was sealed with. */
            passphrase: string;
        };
        /** @description What looking at what is installed found. */
        ScanReport: {
            /** @description How many of each source. */
            by_source: {
                [key: string]: number;
            };
            /** @description All applications that were found. */
            found: number;
            /** @description What could not be read. */
            problems: string[];
        };
        /**
         * @description What a caller may do; each contains those before it, but for `metrics`, which is alone.
         * @enum {string}
         */
        Scope: "metrics" | "public" | "view" | "play" | "manage" | "owner";
        /** @description Something that runs for a device. */
        Session: {
            /** @description What runs. */
            app: components["schemas"]["PlayedApp"];
            /** @description Whom it is for. */
            device: components["schemas"]["PlayedBy"];
            figures?: components["schemas"]["Figures"] | null;
            /** @description Names it; never used again while the host runs. */
            id: string;
            /**
             * Format: int64
             * @description When it was asked for, seconds since 1970.
             */
            started: number;
            /** @description What it does now. */
            state: components["schemas"]["SessionState"];
            stream?: components["schemas"]["StreamInfo"] | null;
        };
        /** @description What is to be another. */
        SessionChange: {
            /**
             * Format: int32
             * @description What the stream may take at most, kbit/s.
             */
            bitrate_kbps?: number | null;
        };
        /** @description All sessions. */
        SessionList: {
            /** @description Oldest first. */
            sessions: components["schemas"]["Session"][];
        };
        /** @description A text for a screen. */
        SessionMessage: {
            /** @description At most 200 characters. */
            text: string;
        };
        /**
         * @description What a session does.
         * @enum {string}
         */
        SessionState: "starting" | "playing" | "away";
        /** @description One setting. */
        Setting: {
            /** @description Most people never need it. */
            advanced: boolean;
            /** @description What it is when nobody sets it. */
            default: unknown;
            /** @description Its group. */
            group: string;
            /** @description What it does, in sentences. */
            help: string;
            /** @description As in a file, with dots. */
            key: string;
            /** @description What it may be. */
            kind: components["schemas"]["SettingKind"];
            /** @description It cannot be changed here: a flag wins, or only a file can set it. */
            locked: boolean;
            /** @description A change waits for the next start. */
            needs_restart: boolean;
            /**
             * @description What it will be after the next start, when that is something else; null means that
             *     it will not be set.
             */
            pending?: unknown;
            /** @description Who set it. */
            source: components["schemas"]["SettingSource"];
            /** @description The file or the flag that set it. */
            source_file?: string | null;
            /** @description The line of that file. */
            source_line?: number | null;
            /** @description A label. */
            title: string;
            /** @description What it is now; null when it is not set and has no default. */
            value: unknown;
        };
        /** @description A group of settings. */
        SettingGroup: {
            /** @description As settings name it. */
            id: string;
            /** @description A heading. */
            title: string;
        };
        /** @description What a setting may be. */
        SettingKind: {
            /** @enum {string} */
            type: "bool";
        } | {
            /**
             * Format: int64
             * @description The most.
             */
            max: number;
            /**
             * Format: int64
             * @description The least.
             */
            min: number;
            /** @enum {string} */
            type: "integer";
            /** @description What it counts. */
            unit?: string | null;
        } | {
            /**
             * Format: double
             * @description The most.
             */
            max: number;
            /**
             * Format: double
             * @description The least.
             */
            min: number;
            /** @enum {string} */
            type: "number";
            /** @description What it counts. */
            unit?: string | null;
        } | {
            /** @description Longest, bytes in UTF-8. */
            max_bytes: number;
            /** @description What it matches. */
            pattern?: string | null;
            /** @enum {string} */
            type: "text";
        } | {
            /** @description The words. */
            options: components["schemas"]["SettingOption"][];
            /** @enum {string} */
            type: "choice";
        } | {
            /** @description Longest of each, bytes in UTF-8. */
            max_bytes: number;
            /** @description How many at most. */
            max_items: number;
            /** @description What each matches. */
            pattern?: string | null;
            /** @enum {string} */
            type: "list";
        };
        /** @description One word of a choice. */
        SettingOption: {
            /** @description As it is shown. */
            title: string;
            /** @description As it is written. */
            value: string;
        };
        /**
         * @description Where a value comes from.
         * @enum {string}
         */
        SettingSource: "default" | "vendor" | "etc" | "user" | "state" | "flag";
        /** @description All settings of a host. */
        Settings: {
            /** @description The file that the console writes. */
            file: string;
            /** @description The groups, in the order a form shows them. */
            groups: components["schemas"]["SettingGroup"][];
            /** @description Something was set that waits for the next start. */
            restart_needed: boolean;
            /** @description Each setting, in the order of the reference. */
            settings: components["schemas"]["Setting"][];
        };
        /** @description What is to be changed. */
        SettingsChange: {
            /**
             * @description The new value of each key; null takes it back to what the other files or the
             *     default say.
             */
            values: {
                [key: string]: unknown;
            };
        };
        /**
         * @description How bad it is.
         * @enum {string}
         */
        Severity: "ok" | "skipped" | "info" | "warning" | "error";
        /**
         * @description What a device speaks.
         * @enum {string}
         */
        Speaks: "gamestream" | "native";
        /** @description Where the time of a picture goes. */
        Stages: {
            /** @description From the seat's drawing to the host. */
            capture: components["schemas"]["Latency"];
            decode?: components["schemas"]["Latency"] | null;
            /** @description Colour conversion and encoder. */
            encode: components["schemas"]["Latency"];
            network?: components["schemas"]["Latency"] | null;
            /** @description From the packets to the last one's handing over to the network. */
            send: components["schemas"]["Latency"];
            /** @description Until the encoder takes it. */
            wait: components["schemas"]["Latency"];
        };
        /** @description Streams that are over. */
        Statistics: {
            /** @description Oldest first, the last 200 at most. */
            sessions: components["schemas"]["Played"][];
        };
        /** @description Something done before a launch, and what undoes it. */
        Step: {
            /** @description A line for the shell; empty: there is only something to undo. */
            do?: string;
            /** @description A line for the shell, run after the end. */
            undo?: string | null;
        };
        /** @description What a client sees. */
        StreamInfo: {
            /**
             * Format: int32
             * @description 2, 6 or 8; 0 for no sound.
             */
            audio_channels: number;
            /**
             * Format: int32
             * @description At most, kbit/s.
             */
            bitrate_kbps: number;
            /** @description `H.264`, `HEVC` or `AV1`, with what is special about it. */
            codec: string;
            /** @description What codes it. */
            encoder: string;
            /** @description Pictures are encrypted. */
            encrypted: boolean;
            /**
             * Format: int32
             * @description Pictures a second.
             */
            fps: number;
            /** @description A picture of high dynamic range. */
            hdr: boolean;
            /**
             * Format: int32
             * @description Pixels.
             */
            height: number;
            /**
             * Format: int64
             * @description When it began, in seconds since 1970.
             */
            started: number;
            /** @description Why it is like this. */
            why: components["schemas"]["Why"][];
            /**
             * Format: int32
             * @description Pixels.
             */
            width: number;
        };
        /** @description A token, without its secret. */
        Token: {
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created: number;
            /**
             * Format: int64
             * @description From when it counts no more, seconds since 1970.
             */
            expires?: number | null;
            /** @description Names it in requests. */
            id: string;
            /**
             * Format: int64
             * @description Last use, to the minute, seconds since 1970.
             */
            last_used?: number | null;
            /** @description What the owner calls it. */
            name: string;
            /** @description What it may do. */
            scope: components["schemas"]["Scope"];
        };
        /** @description All tokens. */
        TokenList: {
            /** @description Oldest first. */
            tokens: components["schemas"]["Token"][];
        };
        /** @description A token to be made. */
        TokenRequest: {
            /**
             * Format: int64
             * @description From when it counts no more, seconds since 1970; none: until it is revoked.
             */
            expires?: number | null;
            /** @description What to call it. */
            name: string;
            /** @description What it may do. */
            scope: components["schemas"]["Scope"];
        };
        /**
         * @description How things stand, in one word.
         * @enum {string}
         */
        UpdateState: "none" | "available" | "staged" | "failed" | "unmanaged";
        /** @description How things stand. */
        Updates: {
            available?: components["schemas"]["Available"] | null;
            /** @description Where updates come from. */
            channel?: string | null;
            /** @description In one sentence. */
            detail: string;
            /** @description In one word. */
            state: components["schemas"]["UpdateState"];
            /** @description The version that runs. */
            version: string;
        };
        /** @description Why something of a stream was chosen. */
        Why: {
            /** @description What was chosen. */
            choice: string;
            /** @description Why, for people. */
            reason: string;
            /** @description Of what: `display`, `size`, `codec`, `bitrate`, `audio`, `encryption`, `encoder`. */
            stage: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
