/* model/frontmatter.c - single values out of the front matter of a README: "---", lines of "key: value", "---". */
#include "model/frontmatter.h"

#include <string.h>

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end == NULL ? NULL : end + 1;
}

static bool is_fence(const char *line)
{
    return strncmp(line, "---", 3) == 0 && strspn(line + 3, " \r") == strcspn(line + 3, "\n");
}

/* Copies one scalar: quotes, comment and blanks around it fall away. */
static bool scalar(const char *at, size_t len, char *out, size_t out_bytes)
{
    while (len > 0 && (*at == ' ' || *at == '\t'))
        at++, len--;
    if (len > 0 && (*at == '"' || *at == '\'')) {
        const char *close = memchr(at + 1, *at, len - 1);

        if (close == NULL)
            return false;
        len = (size_t)(close - at - 1);
        at++;
    } else {
        for (size_t i = 1; i < len; i++)
            if (at[i] == '#' && at[i - 1] == ' ')
                len = i;
        while (len > 0 && strchr(" \t\r", at[len - 1]) != NULL)
            len--;
    }
    if (len == 0 || len >= out_bytes || *at == '[' || *at == '{' || *at == '|' || *at == '>')
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

bool mlr_frontmatter_get(const char *text, const char *key, char *out, size_t out_bytes)
{
    size_t n = strlen(key);
    const char *line;

    if (!is_fence(text))
        return false;
    for (line = next_line(text); line != NULL && !is_fence(line); line = next_line(line)) {
        if (strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        if (scalar(line + n + 1, strcspn(line + n + 1, "\n"), out, out_bytes))
            return true;
        line = next_line(line); /* a list on the lines below */
        return line != NULL && line[strspn(line, " ")] == '-' && !is_fence(line) &&
               scalar(line + strspn(line, " ") + 1, strcspn(line + strspn(line, " ") + 1, "\n"), out, out_bytes);
    }
    return false;
}
