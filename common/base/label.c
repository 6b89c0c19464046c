/* Which labels of a binary task are positive: see label.h. */
#include "base/label.h"

#include <math.h>
#include <string.h>

bool label_of_number(const struct label_positive *positive, double v, double *ret)
{
    if (positive->type == LABEL_TEXT || !isfinite(v))
        return false;
    if (positive->type == LABEL_TRUE && v != 0 && v != 1)
        return false;
    *ret = v == (positive->type == LABEL_TRUE ? 1 : positive->number) ? 1 : 0;
    return true;
}

bool label_of_text(const struct label_positive *positive, const char *v, size_t len, double *ret)
{
    if (positive->type != LABEL_TEXT)
        return false;
    *ret = len == strlen(positive->text) && memcmp(v, positive->text, len) == 0 ? 1 : 0;
    return true;
}

bool label_of_json(const struct label_positive *positive, const struct json_value *v, double *ret)
{
    struct buf text = BUF_INIT;
    double number;
    bool is_label = false;

    switch (v->type) {
    case JSON_TRUE:
    case JSON_FALSE:
        is_label = positive->type == LABEL_TRUE;
        if (is_label)
            *ret = v->type == JSON_TRUE ? 1 : 0;
        break;
    case JSON_NUMBER:
        is_label = json_number(v, &number) && label_of_number(positive, number, ret);
        break;
    case JSON_STRING:
        is_label = json_string(v, &text) && label_of_text(positive, buf_str(&text), text.len, ret);
        break;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    buf_release(&text);
    return is_label;
}
