/* net/auth_scope.c - scopes as sets: "repository:x:pull repository:y:pull" in one order, each once. */
#include "net/auth_scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define REPOSITORY "repository:"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Cuts `text` into its words, at most one for every two bytes. */
static size_t cut(char *text, char **words)
{
    size_t n = 0;
    char  *word;

    while ((word = strsep(&text, " ")) != NULL)
        if (word[0] != '\0')
            words[n++] = word;
    return n;
}

int mlr_scope_union(const char *a, const char *b, char **out, mlreg_error **err)
{
    char  *text = mlr_asprintf("%s %s", a != NULL ? a : "", b != NULL ? b : "");
    size_t room = text != NULL ? strlen(text) : 0, n;
    char  *joined = mlr_alloc(room + 1), **words = mlr_alloc_array(room / 2 + 1, sizeof *words);
    char  *end = joined;
    int    rc = 0;

    if (text == NULL || joined == NULL || words == NULL) {
        mlr_free(joined);
        rc = mlr_error_nomem(err);
        goto out;
    }
    n = cut(text, words);
    qsort(words, n, sizeof *words, by_bytes);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(words[i], words[i - 1]) == 0)
            continue;
        if (end > joined)
            *end++ = ' ';
        end = stpcpy(end, words[i]);
    }
    *out = joined;
out:
    mlr_free(words);
    mlr_free(text);
    return rc;
}

/* Whether the word of `len` bytes at `word` is one of those in `set`. */
static bool has_word(const char *set, const char *word, size_t len)
{
    for (const char *at = set; *(at += strspn(at, " ")) != '\0'; at += strcspn(at, " "))
        if (strcspn(at, " ") == len && memcmp(at, word, len) == 0)
            return true;
    return false;
}

bool mlr_scope_has(const char *whole, const char *part)
{
    for (const char *at = part; at != NULL && *(at += strspn(at, " ")) != '\0'; at += strcspn(at, " "))
        if (whole == NULL || !has_word(whole, at, strcspn(at, " ")))
            return false;
    return true;
}

int mlr_scope_repository(const char *scope, char **out, mlreg_error **err)
{
    const char *start = scope != NULL ? strstr(scope, REPOSITORY) : NULL, *end = NULL;

    while (start != NULL && start != scope && start[-1] != ' ')
        start = strstr(start + 1, REPOSITORY);
    if (start != NULL) {
        start += strlen(REPOSITORY);
        end = memrchr(start, ':', strcspn(start, " "));        /* the last colon: a name may hold a port's */
    }
    *out = end != NULL ? mlr_strndup(start, (size_t)(end - start)) : mlr_strdup("");
    return *out != NULL ? 0 : mlr_error_nomem(err);
}
