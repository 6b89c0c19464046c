#include "views/views_check.h"

#include <stdio.h>
#include <string.h>

static void columns_list(const struct views_column *columns, size_t n, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && len + 2 < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "", columns[i].name);
}

/* The view must have these columns. */
static int need_columns(struct views *v, const struct views_needs *needs, const char *view,
                        const char *const *names, size_t n, struct err *err)
{
    struct views_column *columns = NULL;
    size_t n_columns = 0;

    if (views_columns(v, view, &columns, &n_columns, err) < 0)
        return err->code;
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        bool found = false;
        for (size_t j = 0; j < n_columns; j++)
            found = found || strcmp(columns[j].name, names[i]) == 0;
        if (!found) {
            char have[256];
            columns_list(columns, n_columns, have, sizeof(have));
            code =
                err_set(err, ERR_INVALID,
                        "view %s in %s has no column \"%s\" (it has %s): add it there, or take it "
                        "out of the task file",
                        view, needs->sql_dir, names[i], have);
        }
    }
    views_columns_free(columns, n_columns);
    return code;
}

int views_check_columns(struct views *v, const struct views_needs *needs, struct err *err)
{
    const char *const learning[] = {needs->key, needs->label, "features", "predictions"};
    int code = need_columns(v, needs, needs->features_view, &needs->key, 1, err);

    if (code == 0)
        code =
            need_columns(v, needs, needs->features_view, needs->features, needs->n_features, err);
    if (code == 0)
        code = need_columns(v, needs, "learning_queue", learning,
                            sizeof(learning) / sizeof(*learning), err);
    return code;
}
