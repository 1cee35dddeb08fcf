/* Pairs with the host of tests/c.rs and plays a stream of it, with everything that the
 * interface has: play FOLDER ADDRESS PIN. */
#include <string.h>

#include "check.h"

/* Only a test that fails waits so long. */
#define LONG_MS 60000u

/* The byte of a frame at a place, as the host makes them. */
static uint8_t byte_at(uint32_t number, size_t at) {
    return (uint8_t)((uint32_t)at * 2654435761u + number);
}

/* The next event of a kind; others are released. */
static PunktfunkEvent *wait_for(PunktfunkSession *session, uint32_t kind) {
    for (;;) {
        PunktfunkEvent *event = NULL;
        OK(punktfunk_session_next(session, LONG_MS, &event));
        if (punktfunk_event_kind(event) == kind) {
            return event;
        }
        CHECK(punktfunk_event_kind(event) != PUNKTFUNK_EVENT_ENDED);
        OK(punktfunk_event_release(event));
    }
}

static void check_frame(PunktfunkSession *session, PunktfunkEvent *event, uint32_t number, uint32_t epoch) {
    PunktfunkFrame frame = {.struct_size = sizeof frame};
    OK(punktfunk_event_frame(event, &frame));
    CHECK(frame.number == number && frame.epoch == epoch);
    CHECK(((frame.flags & PUNKTFUNK_FRAME_KEY) != 0) == (number == 0 || number == 3));
    CHECK(frame.data_size > 0 && frame.shards > 0 && frame.whole >= frame.first);
    for (size_t at = 0; at < frame.data_size; at++) {
        CHECK(frame.data[at] == byte_at(number, at));
    }
    /* A caller of an earlier version has a shorter struct: nothing is written behind it. */
    PunktfunkFrame before;
    memset(&before, 0xaa, sizeof before);
    before.struct_size = offsetof(PunktfunkFrame, data_size);
    OK(punktfunk_event_frame(event, &before));
    CHECK(before.number == number && before.data == frame.data);
    CHECK(before.epoch == 0xaaaaaaaau);
    OK(punktfunk_session_decoded(session, number, 1500, 0));
    OK(punktfunk_event_release(event));
}

/* Three frames, two packets of sound and a rumble, in any order among each other. */
static void take_first(PunktfunkSession *session) {
    uint32_t frames = 0, sounds = 0, effects = 0;
    while (frames < 3 || sounds < 2 || effects < 1) {
        PunktfunkEvent *event = NULL;
        OK(punktfunk_session_next(session, LONG_MS, &event));
        switch (punktfunk_event_kind(event)) {
        case PUNKTFUNK_EVENT_FRAME:
            check_frame(session, event, frames++, 0);
            continue;
        case PUNKTFUNK_EVENT_SOUND: {
            PunktfunkSound sound = {.struct_size = sizeof sound};
            OK(punktfunk_event_sound(event, &sound));
            CHECK(sound.seq == sounds && sound.data_size == 20 && sound.data[0] == 100 + sounds);
            sounds++;
            break;
        }
        case PUNKTFUNK_EVENT_EFFECT: {
            PunktfunkEffect effect = {.struct_size = sizeof effect};
            OK(punktfunk_event_effect(event, &effect));
            CHECK(effect.kind == PUNKTFUNK_EFFECT_RUMBLE && effect.pad == 1);
            CHECK(effect.low == 5 && effect.high == 6);
            effects++;
            break;
        }
        default:
            break;
        }
        OK(punktfunk_event_release(event));
    }
}

static void send_input(PunktfunkSession *session) {
    static const uint8_t data[40] = {9};
    PunktfunkTouch touch = {.struct_size = sizeof touch, .id = 3, .phase = PUNKTFUNK_PHASE_DOWN};
    touch.rotation = -1;
    touch.y = 1;
    touch.pressure = 0.5;
    touch.contact_major = touch.contact_minor = -1;
    /* Of this struct the caller knows no more than the place. */
    PunktfunkPen pen = {.struct_size = offsetof(PunktfunkPen, pressure), .x = 0.25, .y = 0.5};
    PunktfunkPadState state = {.struct_size = sizeof state, .buttons = PUNKTFUNK_PAD_A, .left_x = -300};
    PunktfunkPadTouch finger = {.struct_size = sizeof finger, .id = 7, .phase = PUNKTFUNK_PHASE_DOWN};
    OK(punktfunk_input_key(session, 30, 1));
    OK(punktfunk_input_text(session, "gr\xc3\xbc\xc3\x9f"));
    OK(punktfunk_input_pointer_motion(session, 12.5, -3));
    OK(punktfunk_input_pointer_position(session, 0.5, 1));
    OK(punktfunk_input_button(session, 0x110, 1));
    OK(punktfunk_input_scroll(session, 0, -120));
    OK(punktfunk_input_touch(session, &touch));
    OK(punktfunk_input_pen(session, &pen));
    OK(punktfunk_pad_arrived(session, 2, PUNKTFUNK_PAD_XBOX, PUNKTFUNK_PAD_CAN_RUMBLE, PUNKTFUNK_PAD_A));
    OK(punktfunk_pad_state(session, 2, &state));
    OK(punktfunk_pad_motion(session, 2, PUNKTFUNK_SENSOR_GYRO, 1, 2, 3));
    OK(punktfunk_pad_touch(session, 2, &finger));
    OK(punktfunk_pad_battery(session, 2, PUNKTFUNK_BATTERY_CHARGING, 70));
    OK(punktfunk_pad_removed(session, 2));
    OK(punktfunk_input_release_all(session));
    OK(punktfunk_mic(session, data, sizeof data));
    OK(punktfunk_clipboard(session, "text/plain", data, sizeof data));
}

static void change_picture(PunktfunkSession *session) {
    PunktfunkReconfigure wanted = {.struct_size = sizeof wanted, .width = 1920, .height = 1080};
    PunktfunkReconfigured now = {.struct_size = sizeof now};
    PunktfunkWelcome welcome = {.struct_size = sizeof welcome};
    OK(punktfunk_session_reconfigure(session, &wanted));
    /* Either comes first: the answer and the picture take different ways. */
    int told = 0, seen = 0;
    while (!told || !seen) {
        PunktfunkEvent *event = NULL;
        OK(punktfunk_session_next(session, LONG_MS, &event));
        switch (punktfunk_event_kind(event)) {
        case PUNKTFUNK_EVENT_FRAME:
            check_frame(session, event, 3, 1);
            seen = 1;
            continue;
        case PUNKTFUNK_EVENT_RECONFIGURED:
            OK(punktfunk_event_reconfigured(event, &now));
            CHECK(now.epoch == 1 && now.width == 1920 && now.height == 1080 && now.text[0] == 0);
            told = 1;
            break;
        default:
            CHECK(punktfunk_event_kind(event) != PUNKTFUNK_EVENT_ENDED);
            break;
        }
        OK(punktfunk_event_release(event));
    }
    OK(punktfunk_session_welcome(session, &welcome));
    CHECK(welcome.width == 1920 && welcome.codec == PUNKTFUNK_CODEC_H264 && welcome.channels == 2);
    CHECK(strcmp(welcome.name, "test host") == 0);
}

static void end(PunktfunkSession *session) {
    PunktfunkApp apps[4];
    size_t count = 4;
    PunktfunkReason reason = {.struct_size = sizeof reason};
    PunktfunkStats stats = {.struct_size = sizeof stats};
    memset(apps, 0, sizeof apps);
    apps[0].struct_size = sizeof apps[0];
    OK(punktfunk_session_list_apps(session));
    PunktfunkEvent *event = wait_for(session, PUNKTFUNK_EVENT_APPS);
    OK(punktfunk_event_apps(event, apps, &count));
    CHECK(count == 1 && apps[0].id == 1 && strcmp(apps[0].title, "Desktop") == 0);
    count = 0;
    IS(PUNKTFUNK_BUFFER, punktfunk_event_apps(event, NULL, &count));
    CHECK(count == 1);
    OK(punktfunk_event_release(event));

    OK(punktfunk_session_stats(session, &stats));
    CHECK(stats.frames == 4 && stats.frames_dropped == 0 && stats.comebacks == 0);
    OK(punktfunk_session_want_key_frame(session));
    OK(punktfunk_session_rebind(session));
    OK(punktfunk_session_quit(session));
    for (;;) {
        /* Until the host has taken the application away, other things may be said. */
        event = NULL;
        OK(punktfunk_session_next(session, LONG_MS, &event));
        if (punktfunk_event_kind(event) == PUNKTFUNK_EVENT_ENDED) {
            break;
        }
        OK(punktfunk_event_release(event));
    }
    OK(punktfunk_event_reason(event, &reason));
    CHECK(reason.code == PUNKTFUNK_CODE_APP_ENDED && strcmp(reason.text, "the game is over") == 0);
    IS(PUNKTFUNK_ENDED, punktfunk_session_quit(session));
    IS(PUNKTFUNK_ENDED, punktfunk_input_key(session, 30, 0));
    OK(punktfunk_session_close(session));
    /* What was taken stays; what was closed is noticed. */
    CHECK(strcmp(reason.text, "the game is over") == 0);
    OK(punktfunk_event_release(event));
    IS(PUNKTFUNK_HANDLE, punktfunk_event_release(event));
    IS(PUNKTFUNK_HANDLE, punktfunk_session_close(session));
    IS(PUNKTFUNK_HANDLE, punktfunk_session_quit(session));
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    CHECK(punktfunk_abi_version() >= PUNKTFUNK_ABI_VERSION);
    PunktfunkClient *client = NULL, *same = NULL;
    OK(punktfunk_client_load(argv[1], "a program in C", &client));

    /* The identity is the caller's to keep, too. */
    uint8_t certificate[2048], key[2048], first[PUNKTFUNK_IDENTITY_SIZE], second[PUNKTFUNK_IDENTITY_SIZE];
    size_t certificate_size = sizeof certificate, key_size = sizeof key;
    OK(punktfunk_client_certificate(client, certificate, &certificate_size));
    OK(punktfunk_client_key(client, key, &key_size));
    OK(punktfunk_client_from_bytes(certificate, certificate_size, key, key_size, "the same", &same));
    OK(punktfunk_client_identity(client, first));
    OK(punktfunk_client_identity(same, second));
    CHECK(memcmp(first, second, sizeof first) == 0);
    OK(punktfunk_client_close(same));

    PunktfunkPaired paired = {.struct_size = sizeof paired};
    OK(punktfunk_pair_pin(client, argv[2], argv[3], &paired));
    CHECK(strcmp(paired.address, argv[2]) == 0 && (paired.access & PUNKTFUNK_ACCESS_VIEW) != 0);

    PunktfunkConfig config = {.struct_size = sizeof config};
    PunktfunkSession *session = NULL;
    OK(punktfunk_config_init(&config));
    CHECK(config.width == 1280 && config.struct_size == sizeof config);
    config.address = paired.address;
    config.host = paired.host;
    config.mic = 1;
    config.pads = 3;
    OK(punktfunk_connect(client, &config, &session));
    OK(punktfunk_client_close(client));
    take_first(session);
    send_input(session);
    change_picture(session);
    end(session);
    puts("played");
    return 0;
}
