/* Reading a version's scores. */
#include "version_scores.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

static double member(const struct json_value *object, const char *name)
{
    struct json_value v;
    double n;

    return json_get(object, name, &v) && json_number(&v, &n) ? n : (double)NAN;
}

void version_scores_read(const char *json, struct version_scores *ret)
{
    struct json_value root;

    *ret = (struct version_scores){NAN, NAN, NAN, NAN, false, NAN, NAN, NAN};
    if (!json || json_parse(json, strlen(json), &root, NULL) < 0)
        return;
    ret->mae = member(&root, "mae");
    ret->rmse = member(&root, "rmse");
    ret->mae_window = member(&root, "mae_window");
    ret->mae_served = member(&root, "mae_served");
    ret->is_binary = json_get(&root, "log_loss", &(struct json_value){0});
    ret->log_loss = member(&root, "log_loss");
    ret->log_loss_window = member(&root, "log_loss_window");
    ret->log_loss_served = member(&root, "log_loss_served");
}

double version_scores_loss(const struct version_scores *s)
{
    return s->is_binary ? s->log_loss : s->mae;
}
