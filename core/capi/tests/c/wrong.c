/* Every function with everything that is wrong: NULL, handles that are none, sizes of
 * other versions, numbers of no meaning: wrong FOLDER ADDRESS PIN. */
#include <math.h>
#include <string.h>

#include "check.h"

/* A program that mixes its handles up. */
#define OTHER(type, handle) ((type *)(void *)(handle))

static PunktfunkClient *client;
static PunktfunkSession *session;

static void errors(void) {
    char text[8];
    CHECK(punktfunk_abi_version() == PUNKTFUNK_ABI_VERSION);
    CHECK(punktfunk_now() > 0);
    IS(PUNKTFUNK_NULL, punktfunk_client_close(NULL));
    CHECK(punktfunk_last_code() == PUNKTFUNK_CODE_NONE);
    size_t size = punktfunk_last_error(NULL, 0);
    CHECK(size > sizeof text && punktfunk_last_error(NULL, 100) == size);
    CHECK(punktfunk_last_error(text, sizeof text) == size && strlen(text) == sizeof text - 1);
    CHECK(punktfunk_last_error(text, 0) == size);
    CHECK(punktfunk_last_error(text, 1) == size && text[0] == 0);
    CHECK(punktfunk_advice(PUNKTFUNK_CODE_BUSY, text, sizeof text) > sizeof text);
    CHECK(punktfunk_advice(UINT32_MAX, NULL, 0) == punktfunk_advice(PUNKTFUNK_CODE_FAILED, NULL, 0));
}

static void clients(const char *folder) {
    PunktfunkClient *none = client;
    uint8_t bytes[4] = {0};
    size_t size = sizeof bytes;
    IS(PUNKTFUNK_NULL, punktfunk_client_load(NULL, "me", &none));
    CHECK(none == NULL);
    IS(PUNKTFUNK_NULL, punktfunk_client_load(folder, NULL, &none));
    IS(PUNKTFUNK_NULL, punktfunk_client_load(folder, "me", NULL));
    IS(PUNKTFUNK_TEXT, punktfunk_client_load(folder, "\xff", &none));
    IS(PUNKTFUNK_SYSTEM, punktfunk_client_load("/dev/null/x", "me", &none));
    IS(PUNKTFUNK_NULL, punktfunk_client_make("me", NULL));
    IS(PUNKTFUNK_NULL, punktfunk_client_make(NULL, &none));
    IS(PUNKTFUNK_NULL, punktfunk_client_from_bytes(NULL, 4, bytes, 4, "me", &none));
    IS(PUNKTFUNK_VALUE, punktfunk_client_from_bytes(bytes, SIZE_MAX, bytes, 4, "me", &none));
    IS(PUNKTFUNK_IDENTITY, punktfunk_client_from_bytes(bytes, 4, bytes, 4, "me", &none));
    IS(PUNKTFUNK_IDENTITY, punktfunk_client_from_bytes(NULL, 0, NULL, 0, "me", &none));
    IS(PUNKTFUNK_BUFFER, punktfunk_client_certificate(client, bytes, &size));
    CHECK(size > sizeof bytes);
    IS(PUNKTFUNK_NULL, punktfunk_client_certificate(client, NULL, &size));
    IS(PUNKTFUNK_NULL, punktfunk_client_certificate(client, bytes, NULL));
    size = 0;
    IS(PUNKTFUNK_BUFFER, punktfunk_client_key(client, NULL, &size));
    IS(PUNKTFUNK_NULL, punktfunk_client_key(NULL, bytes, &size));
    IS(PUNKTFUNK_NULL, punktfunk_client_identity(client, NULL));
    IS(PUNKTFUNK_HANDLE, punktfunk_client_identity(OTHER(PunktfunkClient, session), bytes));
    IS(PUNKTFUNK_HANDLE, punktfunk_client_close(OTHER(PunktfunkClient, session)));
    IS(PUNKTFUNK_HANDLE, punktfunk_client_close(OTHER(PunktfunkClient, &size)));
}

static void hosts(const char *address, const char *pin) {
    PunktfunkHost host = {.struct_size = 3};
    PunktfunkPaired paired = {.struct_size = sizeof paired};
    PunktfunkApp app = {.struct_size = 0};
    size_t count = 1;
    IS(PUNKTFUNK_SIZE, punktfunk_discover(0, &host, &count));
    IS(PUNKTFUNK_NULL, punktfunk_discover(0, NULL, &count));
    IS(PUNKTFUNK_NULL, punktfunk_discover(0, &host, NULL));
    IS(PUNKTFUNK_NULL, punktfunk_pair_pin(NULL, address, pin, &paired));
    IS(PUNKTFUNK_NULL, punktfunk_pair_pin(client, NULL, pin, &paired));
    IS(PUNKTFUNK_NULL, punktfunk_pair_pin(client, address, NULL, &paired));
    IS(PUNKTFUNK_NULL, punktfunk_pair_pin(client, address, pin, NULL));
    IS(PUNKTFUNK_TEXT, punktfunk_pair_pin(client, address, "12345", &paired));
    IS(PUNKTFUNK_TEXT, punktfunk_pair_pin(client, "no such host", pin, &paired));
    paired.struct_size = 0;
    IS(PUNKTFUNK_SIZE, punktfunk_pair_pin(client, address, pin, &paired));
    paired.struct_size = UINT32_MAX;
    IS(PUNKTFUNK_SIZE, punktfunk_pair_qr(client, "punktfunk:", &paired));
    paired.struct_size = sizeof paired;
    IS(PUNKTFUNK_NULL, punktfunk_pair_qr(client, NULL, &paired));
    IS(PUNKTFUNK_TEXT, punktfunk_pair_qr(client, "https://example.com", &paired));
    IS(PUNKTFUNK_TEXT, punktfunk_pair_qr(client, "\xc3(", &paired));
    /* Pairing is not open for another PIN than the host's, and its code says so. */
    IS(PUNKTFUNK_REFUSED, punktfunk_pair_pin(client, address, "000000", &paired));
    CHECK(punktfunk_last_code() == PUNKTFUNK_CODE_WRONG_PIN);
    IS(PUNKTFUNK_SIZE, punktfunk_apps(client, address, paired.host, &app, &count));
    IS(PUNKTFUNK_NULL, punktfunk_apps(client, address, NULL, NULL, &count));
    count = 0;
    IS(PUNKTFUNK_NULL, punktfunk_apps(client, address, NULL, NULL, &count));
    IS(PUNKTFUNK_NOT_PROVEN, punktfunk_apps(client, address, paired.host, NULL, &count));
}

static void sessions(const char *address) {
    struct {
        PunktfunkConfig known;
        uint32_t newer[2];
    } config;
    PunktfunkSession *none = session;
    PunktfunkWelcome welcome = {.struct_size = 1};
    PunktfunkReconfigure wanted = {.struct_size = sizeof wanted, .width = 641};
    PunktfunkStats stats = {.struct_size = 4};
    IS(PUNKTFUNK_NULL, punktfunk_config_init(NULL));
    memset(&config, 0xff, sizeof config);
    config.known.struct_size = sizeof config;
    OK(punktfunk_config_init(&config.known));
    CHECK(config.newer[0] == 0 && config.newer[1] == 0 && config.known.app == PUNKTFUNK_NO_APP);
    IS(PUNKTFUNK_NULL, punktfunk_connect(client, &config.known, &none));
    CHECK(none == NULL);
    config.known.address = address;
    IS(PUNKTFUNK_NULL, punktfunk_connect(client, &config.known, NULL));
    IS(PUNKTFUNK_NULL, punktfunk_connect(client, NULL, &none));
    IS(PUNKTFUNK_NULL, punktfunk_connect(NULL, &config.known, &none));
    config.newer[1] = 1;
    IS(PUNKTFUNK_NEWER, punktfunk_connect(client, &config.known, &none));
    config.newer[1] = 0;
    config.known.codecs[1] = 77;
    IS(PUNKTFUNK_VALUE, punktfunk_connect(client, &config.known, &none));
    config.known.codecs[1] = 0;
    config.known.mic = 2;
    IS(PUNKTFUNK_VALUE, punktfunk_connect(client, &config.known, &none));
    config.known.mic = 0;
    config.known.channels = 258;
    IS(PUNKTFUNK_VALUE, punktfunk_connect(client, &config.known, &none));
    config.known.channels = 3;
    IS(PUNKTFUNK_VALUE, punktfunk_connect(client, &config.known, &none));

    IS(PUNKTFUNK_SIZE, punktfunk_session_welcome(session, &welcome));
    IS(PUNKTFUNK_NULL, punktfunk_session_welcome(session, NULL));
    IS(PUNKTFUNK_VALUE, punktfunk_session_reconfigure(session, &wanted));
    wanted.codec = 4;
    IS(PUNKTFUNK_VALUE, punktfunk_session_reconfigure(session, &wanted));
    IS(PUNKTFUNK_NULL, punktfunk_session_reconfigure(session, NULL));
    IS(PUNKTFUNK_NULL, punktfunk_session_list_apps(NULL));
    IS(PUNKTFUNK_NULL, punktfunk_session_quit(NULL));
    IS(PUNKTFUNK_NULL, punktfunk_session_decoded(NULL, 0, 0, 0));
    OK(punktfunk_session_decoded(session, UINT32_MAX, UINT32_MAX, UINT32_MAX));
    IS(PUNKTFUNK_NULL, punktfunk_session_want_key_frame(NULL));
    IS(PUNKTFUNK_HANDLE, punktfunk_session_rebind(OTHER(PunktfunkSession, client)));
    IS(PUNKTFUNK_NULL, punktfunk_session_stats(session, NULL));
    OK(punktfunk_session_stats(session, &stats));
    IS(PUNKTFUNK_NULL, punktfunk_session_close(NULL));
}

static void events(void) {
    PunktfunkEvent *event = OTHER(PunktfunkEvent, session);
    IS(PUNKTFUNK_NULL, punktfunk_session_next(session, 0, NULL));
    IS(PUNKTFUNK_NULL, punktfunk_session_next(NULL, 0, &event));
    CHECK(event == NULL && punktfunk_event_kind(event) == PUNKTFUNK_EVENT_OTHER);
    IS(PUNKTFUNK_TIMEOUT, punktfunk_session_next(session, 1, &event));
    IS(PUNKTFUNK_NULL, punktfunk_event_release(NULL));

    /* The host answers something: an event of one kind. */
    OK(punktfunk_session_list_apps(session));
    OK(punktfunk_session_next(session, 60000, &event));
    CHECK(punktfunk_event_kind(event) == PUNKTFUNK_EVENT_APPS);
    IS(PUNKTFUNK_KIND, punktfunk_event_frame(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_frames_lost(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_sound(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_effect(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_hdr(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_reconfigured(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_access(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_clipboard(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_reason(event, NULL));
    IS(PUNKTFUNK_KIND, punktfunk_event_welcome(event, NULL));
    IS(PUNKTFUNK_NULL, punktfunk_event_apps(event, NULL, NULL));
    IS(PUNKTFUNK_HANDLE, punktfunk_event_release(OTHER(PunktfunkEvent, session)));
    OK(punktfunk_event_release(event));
    CHECK(punktfunk_event_kind(event) == PUNKTFUNK_EVENT_OTHER);
    IS(PUNKTFUNK_HANDLE, punktfunk_event_apps(event, NULL, NULL));
}

static void input(void) {
    PunktfunkTouch touch = {.struct_size = sizeof touch, .phase = 8};
    PunktfunkPen pen = {.struct_size = sizeof pen, .tool = 2};
    PunktfunkPadState state = {.struct_size = sizeof state, .left_trigger = 256};
    PunktfunkPadTouch finger = {.struct_size = sizeof finger, .touchpad = 2};
    uint8_t data[1] = {0};
    IS(PUNKTFUNK_NULL, punktfunk_input_key(NULL, 30, 1));
    IS(PUNKTFUNK_VALUE, punktfunk_input_key(session, 65536, 1));
    IS(PUNKTFUNK_VALUE, punktfunk_input_key(session, 30, 2));
    IS(PUNKTFUNK_NULL, punktfunk_input_text(session, NULL));
    IS(PUNKTFUNK_TEXT, punktfunk_input_text(session, "\xed\xa0\x80"));
    IS(PUNKTFUNK_VALUE, punktfunk_input_pointer_motion(session, NAN, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_input_pointer_motion(session, 0, INFINITY));
    IS(PUNKTFUNK_VALUE, punktfunk_input_pointer_position(session, 1.5, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_input_button(session, UINT32_MAX, 1));
    IS(PUNKTFUNK_NULL, punktfunk_input_scroll(NULL, INT32_MIN, INT32_MAX));
    IS(PUNKTFUNK_NULL, punktfunk_input_touch(session, NULL));
    IS(PUNKTFUNK_VALUE, punktfunk_input_touch(session, &touch));
    touch.phase = PUNKTFUNK_PHASE_DOWN;
    touch.pressure = NAN;
    IS(PUNKTFUNK_VALUE, punktfunk_input_touch(session, &touch));
    IS(PUNKTFUNK_NULL, punktfunk_input_pen(session, NULL));
    IS(PUNKTFUNK_VALUE, punktfunk_input_pen(session, &pen));
    pen.struct_size = 0;
    IS(PUNKTFUNK_SIZE, punktfunk_input_pen(session, &pen));
    IS(PUNKTFUNK_NULL, punktfunk_input_release_all(NULL));
    IS(PUNKTFUNK_NULL, punktfunk_mic(session, NULL, 1));
    IS(PUNKTFUNK_VALUE, punktfunk_mic(session, data, 0));
    IS(PUNKTFUNK_NULL, punktfunk_clipboard(session, NULL, data, 1));
    IS(PUNKTFUNK_NULL, punktfunk_clipboard(session, "text/plain", NULL, 1));
    IS(PUNKTFUNK_VALUE, punktfunk_clipboard(session, "text/plain", data, SIZE_MAX));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_arrived(session, 16, PUNKTFUNK_PAD_XBOX, 0, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_arrived(session, 0, 5, 0, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_arrived(session, 0, 0, 65536, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_state(session, 0, &state));
    IS(PUNKTFUNK_NULL, punktfunk_pad_state(session, 0, NULL));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_motion(session, 0, 0, 0, 0, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_motion(session, 0, PUNKTFUNK_SENSOR_GYRO, 0, NAN, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_touch(session, 0, &finger));
    IS(PUNKTFUNK_NULL, punktfunk_pad_touch(session, 0, NULL));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_battery(session, 0, 6, 0));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_battery(session, 0, PUNKTFUNK_BATTERY_FULL, 101));
    IS(PUNKTFUNK_VALUE, punktfunk_pad_removed(session, UINT32_MAX));
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    PunktfunkConfig config = {.struct_size = offsetof(PunktfunkConfig, host)};
    OK(punktfunk_client_make("wrong", &client));
    config.app = PUNKTFUNK_NO_APP;
    config.address = argv[2];
    OK(punktfunk_connect(client, &config, &session));
    errors();
    clients(argv[1]);
    sessions(argv[2]);
    events();
    input();
    hosts(argv[2], argv[3]);
    OK(punktfunk_session_close(session));
    OK(punktfunk_client_close(client));
    puts("refused");
    return 0;
}
