/*
 * The audit: reads what the stores say, downstream first, and judges it by the
 * equations. What else is looked into (the command's --deep) is added to it as
 * findings.
 */
#ifndef OXBOW_INSPECT_AUDIT_H
#define OXBOW_INSPECT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "equations.h"
#include "inspect.h"

/* What a deeper check has found. */
struct finding {
    bool holds;
    char text[400];
};

struct audit {
    struct facts facts;
    bool settled;
    struct equation *equation; /* point into facts */
    size_t n_equations;
    struct finding *finding;
    size_t n_findings;
};

/* Reads the facts and makes the equations. ERR_DISCONNECTED, ERR_NOT_FOUND...: it cannot be told.
 * `in` has its bus and its views open. */
int audit_read(struct audit *audit, struct inspect *in, bool settled, struct err *err) MUST_CHECK;

/*
 * As audit_read, but reads again (a few times, waiting in between) while only equations fail that
 * compare several stores: a server that came back without its last moments makes them fail until
 * views has noticed.
 */
int audit_judge(struct audit *audit, struct inspect *in, bool settled, struct err *err) MUST_CHECK;

/*
 * Waits until nothing is in flight, then judges strictly. ERR_TIMEOUT with a text that says what is
 * still in flight; ERR_CANCELLED after a signal.
 */
int audit_settle(struct audit *audit, struct inspect *in, int64_t timeout_ms,
                 struct err *err) MUST_CHECK;

/* True when every equation and every finding holds. */
bool audit_balanced(const struct audit *audit);

void audit_release(struct audit *audit);

/* For deeper checks: appends a finding. */
void audit_find(struct audit *audit, bool holds, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "3 requests pending, 17 rows to learn", or "nothing". */
void audit_describe_in_flight(const struct in_flight *f, struct buf *out);

#endif
