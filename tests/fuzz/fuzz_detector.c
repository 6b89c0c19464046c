/*
 * States of drift detectors: whatever the bytes, detector_load() refuses them or
 * gives a detector that goes on, and what that one saves loads again. The first
 * byte chooses the class.
 */
#include <stdlib.h>
#include <string.h>

#include "learn/detector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct detector *make(const char *json)
{
    struct detector *d = detector_new(json, strlen(json), NULL);

    if (!d)
        abort();
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const specs[] = {
        "\"adwin\"",
        "{\"adwin\": {\"max_buckets\": 2, \"clock\": 1, \"min_window_length\": 1}}",
        "\"page_hinkley\"",
        "{\"kswin\": {\"window_size\": 20, \"stat_size\": 5}}",
        "\"ddm\"",
    };

    if (size == 0)
        return 0;
    const char *spec = specs[data[0] % (sizeof(specs) / sizeof(specs[0]))];
    struct detector *d = make(spec);
    if (detector_load(d, data + 1, size - 1, NULL) == 0) {
        struct detector *again = make(spec);
        struct buf state = BUF_INIT;

        for (int i = 0; i < 100; i++)
            detector_update(d, i % 7, NULL);
        detector_save(d, &state);
        if (detector_load(again, state.data, state.len, NULL) != 0)
            abort();
        buf_release(&state);
        detector_free(again);
    }
    detector_free(d);
    return 0;
}
