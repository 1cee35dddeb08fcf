/* For the programs of these tests: says what is not as it should be, and fails. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "punktfunk.h"

#define CHECK(what)                                                                        \
    do {                                                                                   \
        if (!(what)) {                                                                     \
            fail(__FILE__, __LINE__, #what);                                               \
        }                                                                                  \
    } while (0)

/* A call that returns this status. */
#define IS(status, call)                                                                   \
    do {                                                                                   \
        uint32_t was_ = (call);                                                            \
        if (was_ != (status)) {                                                            \
            fprintf(stderr, "status %u: ", (unsigned)was_);                                \
            fail(__FILE__, __LINE__, #call " is " #status);                                \
        }                                                                                  \
    } while (0)

#define OK(call) IS(PUNKTFUNK_OK, call)

static void fail(const char *file, int line, const char *what) {
    char why[512];
    punktfunk_last_error(why, sizeof why);
    fprintf(stderr, "%s:%d: not so: %s (the last error: %s)\n", file, line, what, why);
    exit(1);
}

#endif
