/* What a run has come to: read from the stores after the services have stopped. */
#ifndef OXBOW_CLI_SUMMARY_H
#define OXBOW_CLI_SUMMARY_H

#include <stdbool.h>

#include "access.h"
#include "base/buf.h"

struct summary;

/* `settled`: nothing was in flight when the services stopped, so that the audit may demand
 * equality. Never NULL; what cannot be read is told as such. */
struct summary *summary_read(const struct access_options *access, bool settled);
void summary_free(struct summary *s);

/* The audit's verdict: "balanced", "broken" or "cannot tell". */
const char *summary_audit(const struct summary *s);

/* One JSON object, without a newline. */
void summary_json(const struct summary *s, struct buf *out);

/* For people: some lines. */
void summary_text(const struct summary *s, struct buf *out);

#endif
