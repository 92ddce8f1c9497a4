/* config.c - an artifact's config for people: "config.precision  bf16", a line a value, without the lists of digests. */
#include "cli.h"

#include <string.h>

#define DEEPEST 6

/* A place in text that should be JSON, but is a stranger's: whatever it is, reading it comes to an end. */
typedef struct cursor { const char *at; char path[256]; } cursor;

static void skip_blanks(cursor *c)
{
    c->at += strspn(c->at, " \t\r\n");
}

static void skip_string(cursor *c)
{
    for (c->at++; *c->at != '\0' && *c->at != '"'; c->at++)
        if (*c->at == '\\' && c->at[1] != '\0')
            c->at++;
    c->at += *c->at == '"';
}

/* Stands still only at the end, or at what closes the value around it. */
static void skip_value(cursor *c)
{
    unsigned depth = 0;

    do {
        skip_blanks(c);
        if (*c->at == '\0' || (depth == 0 && strchr("]},:", *c->at) != NULL))
            return;
        if (*c->at == '"')
            skip_string(c);
        else if (strchr("{[]},:", *c->at) != NULL)
            depth += (unsigned)(strchr("{[", *c->at) != NULL) - (unsigned)(strchr("]}", *c->at) != NULL), c->at++;
        else
            c->at += strcspn(c->at, "{[]},:\" \t\r\n");
    } while (depth > 0);
}

/* Lists of digests, which `layers` shows better. */
static bool is_plumbing(const char *name, size_t n)
{
    static const char *const names[] = { "modelfs", "rootfs", "history", "diffIds" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && strncmp(names[i], name, n) == 0)
            return true;
    return false;
}

static void print_scalar(cursor *c)
{
    const char *from = c->at;

    skip_value(c);
    print_plain(from + (*from == '"'), (size_t)(c->at - from) - (*from == '"' ? 2 : 0));
}

static void print_list(cursor *c)
{
    const char *separator = "", *before = NULL;

    for (c->at++, skip_blanks(c); c->at != before && *c->at != ']' && *c->at != '\0'; skip_blanks(c)) {
        before = c->at;
        printf("%s", separator);
        if (*c->at == '{' || *c->at == '[') {
            skip_value(c);
            printf("…");
        } else {
            print_scalar(c);
        }
        separator = ", ";
        skip_blanks(c);
        c->at += *c->at == ',';
    }
    c->at += *c->at == ']';
}

static void print_members(cursor *c, unsigned depth);

static void print_member(cursor *c, const char *name, size_t n, unsigned depth)
{
    size_t length = strlen(c->path);

    if (is_plumbing(name, n) || depth == DEEPEST || length + n + 2 > sizeof c->path) {
        skip_value(c);
        return;
    }
    snprintf(c->path + length, sizeof c->path - length, "%s%.*s", length > 0 ? "." : "", (int)n, name);
    if (*c->at == '{') {
        print_members(c, depth + 1);
    } else {
        printf("  ");
        print_plain(c->path, length + n + (length > 0));
        printf("  ");
        (*c->at == '[' ? print_list : print_scalar)(c);
        printf("\n");
    }
    c->path[length] = '\0';
}

static void print_members(cursor *c, unsigned depth)
{
    for (c->at++, skip_blanks(c); *c->at == '"'; skip_blanks(c)) {
        const char *name = c->at + 1;
        size_t n;

        skip_string(c);
        n = (size_t)(c->at - name - 1);
        skip_blanks(c);
        c->at += *c->at == ':';
        skip_blanks(c);
        print_member(c, name, n, depth);
        skip_blanks(c);
        c->at += *c->at == ',';
        skip_blanks(c);
    }
    c->at += *c->at == '}';
}

void print_config(const char *json)
{
    cursor c = { .at = json };

    skip_blanks(&c);
    if (*c.at == '{' && c.at[1] != '}') {
        printf("config\n");
        print_members(&c, 0);
    }
}
