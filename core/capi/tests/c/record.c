/* record FOLDER ADDRESS PIN FRAMES */
#include <stdio.h>
#include <stdlib.h>

#include "punktfunk.h"

static int failed(const char *what) {
    char why[512];
    punktfunk_last_error(why, sizeof why);
    fprintf(stderr, "%s: %s\n", what, why);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        return EXIT_FAILURE;
    }
    PunktfunkClient *client;
    if (punktfunk_client_load(argv[1], "recorder", &client) != PUNKTFUNK_OK) {
        return failed("identity");
    }
    PunktfunkPaired paired = {.struct_size = sizeof paired};
    if (punktfunk_pair_pin(client, argv[2], argv[3], &paired) != PUNKTFUNK_OK) {
        return failed("pairing");
    }
    /* paired.address and paired.host are to be kept: once is enough. */

    PunktfunkConfig config = {.struct_size = sizeof config};
    punktfunk_config_init(&config);
    config.address = paired.address;
    config.host = paired.host;
    config.width = 1920;
    config.height = 1080;
    PunktfunkSession *session;
    if (punktfunk_connect(client, &config, &session) != PUNKTFUNK_OK) {
        return failed("connecting");
    }

    int wanted = atoi(argv[4]);
    while (wanted > 0) {
        PunktfunkEvent *event;
        uint32_t status = punktfunk_session_next(session, 1000, &event);
        if (status == PUNKTFUNK_TIMEOUT) {
            continue;
        } else if (status != PUNKTFUNK_OK) {
            return failed("playing");
        }
        PunktfunkFrame frame = {.struct_size = sizeof frame};
        PunktfunkReason reason = {.struct_size = sizeof reason};
        switch (punktfunk_event_kind(event)) {
        case PUNKTFUNK_EVENT_FRAME:
            punktfunk_event_frame(event, &frame);
            fwrite(frame.data, 1, frame.data_size, stdout);
            punktfunk_session_decoded(session, frame.number, 0, 0);
            wanted--;
            break;
        case PUNKTFUNK_EVENT_ENDED:
            punktfunk_event_reason(event, &reason);
            fprintf(stderr, "ended: %s\n", reason.text);
            wanted = 0;
            break;
        default:
            break;
        }
        punktfunk_event_release(event);
    }
    punktfunk_session_close(session);
    punktfunk_client_close(client);
    return EXIT_SUCCESS;
}
