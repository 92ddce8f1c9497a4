/* base/beneath_name.c - which paths of strangers may become files: those that mean the same on every system. */
#include <stdbool.h>
#include <string.h>

#include "base/beneath.h"
#include "base/error.h"
#include "base/utf8.h"

/* A rule takes one component and says what is wrong with it, or NULL. */
typedef const char *(*component_rule)(const char *s, size_t len);

static const char *first_broken(const char *path, component_rule rule)
{
    const char *broken;

    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");

        if ((broken = rule(at, len)) != NULL)
            return broken;
        at += len;
        if (*at == '\0')
            return NULL;
    }
}

static int refuse(mlreg_error **err, const char *path, const char *rule)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "path \"%s\" %s", path, rule);

    mlr_error_hint(err, rc, "names in artifacts stay within their folder and work on every system: the file has to be renamed where it comes from");
    return mlr_error_subject(err, rc, path);
}

/* ---- the form ---- */

static const char *form_rule(const char *s, size_t len)
{
    if (len == 0)
        return "has an empty component";
    if (len > MLR_BENEATH_NAME_MAX_BYTES)
        return "has a component of more than 255 bytes";
    if (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.')))
        return "has a component \".\" or \"..\"";
    return NULL;
}

static const char *broken_form(const char *path)
{
    if (*path == '\0')
        return "is empty";
    if (*path == '/')
        return "is absolute";
    if (strlen(path) > MLR_BENEATH_PATH_MAX_BYTES)
        return "has more than 4096 bytes";
    return first_broken(path, form_rule);
}

int mlr_beneath_check_form(const char *path, mlreg_error **err)
{
    const char *rule = broken_form(path);

    return rule == NULL ? 0 : refuse(err, path, rule);
}

/* ---- names of strangers ---- */

/* ASCII only, and no business of the host's locale. */
static bool same_ignoring_case(const char *upper, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (upper[i] == '\0' || upper[i] != (s[i] >= 'a' && s[i] <= 'z' ? s[i] - 'a' + 'A' : s[i]))
            return false;
    return upper[len] == '\0';
}

/* COM1, LPT9; the superscripts 1, 2 and 3 of Latin-1 count as digits there. */
static bool is_numbered_device(const char *s, size_t len)
{
    if (len < 4 || !(same_ignoring_case("COM", s, 3) || same_ignoring_case("LPT", s, 3)))
        return false;
    if (len == 4)
        return s[3] >= '0' && s[3] <= '9';
    return len == 5 && s[3] == '\xc2' && (s[4] == '\xb9' || s[4] == '\xb2' || s[4] == '\xb3');
}

/* Windows takes NUL, nul.txt and "NUL .txt" for the device: what counts stands before the first dot, without blanks. */
static bool is_windows_device(const char *s, size_t len)
{
    static const char names[][8] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    const char       *dot = memchr(s, '.', len);
    size_t            stem = dot != NULL ? (size_t)(dot - s) : len;

    while (stem > 0 && s[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (same_ignoring_case(names[i], s, stem))
            return true;
    return is_numbered_device(s, stem);
}

static const char *portable_rule(const char *s, size_t len)
{
    if (s[len - 1] == '.' || s[len - 1] == ' ')
        return "has a component that ends in a dot or blank";
    if (len >= 2 && s[1] == ':' && ((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z')))
        return "names a drive of Windows";
    if (is_windows_device(s, len))
        return "names a device of Windows";
    return NULL;
}

static const char *broken_text(const char *path)
{
    uint32_t c;

    for (size_t n, len = strlen(path); len > 0; path += n, len -= n) {
        if ((n = mlr_utf8_next(path, len, &c)) == 0)
            return "is not valid UTF-8";
        if (mlr_utf8_is_control(c))
            return "contains a control character";
        if (c == '\\')
            return "contains a backslash";
    }
    return NULL;
}

int mlr_beneath_check_name(const char *path, mlreg_error **err)
{
    const char *rule = broken_form(path);

    if (rule == NULL)
        rule = broken_text(path);
    if (rule == NULL)
        rule = first_broken(path, portable_rule);
    return rule == NULL ? 0 : refuse(err, path, rule);
}
