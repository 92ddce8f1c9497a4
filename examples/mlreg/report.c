/* report.c - what the program says on stderr: errors with their hints, and notes. */
#include "cli.h"

#include <stdarg.h>
#include <string.h>

#define NOTFOUND_HINT "what names it is there, but it is not: have it pushed again"
#define DIGEST_HINT "nothing of it was kept; try again, then have it pushed again; in a store `mlreg fsck` looks for more"

/* The subject and the place are said only where the first line does not name them. */
static const char *unless_said(const char *where, const char *doing, const char *message)
{
    return where == NULL || strstr(doing, where) != NULL || strstr(message, where) != NULL ? NULL : where;
}

/* The library speaks of its options; here they have other names. */
static const char *in_our_words(const char *hint, char *room, size_t bytes)
{
    static const char *const words[][2] = {
        { "ca_file", "--ca-file" }, { "MLREG_OPEN_PLAIN_HTTP", "--plain-http" }, { "MLREG_STREAM_UNVERIFIED", "--unverified" },
        { "MLREG_COPY_MOVE_TAG", "--move" }, { "MLREG_COPY_FOREIGN", "--foreign" }, { "MLREG_UNPACK_FOREIGN", "--foreign" }, { "fsck with repair", "`mlreg fsck --repair`" },
    };

    for (size_t i = 0; hint != NULL && i < sizeof words / sizeof *words; i++) {
        const char *at = strstr(hint, words[i][0]);

        if (at != NULL && strstr(hint, words[i][1]) == NULL) {
            snprintf(room, bytes, "%.*s%s%s", (int)(at - hint), hint, words[i][1], at + strlen(words[i][0]));
            return room;
        }
    }
    return hint;
}

/* What is left to do where neither the command nor the library knows better. */
static const char *usual_hint(const mlreg_error *err)
{
    static const struct { int code; const char *there, *here; } hints[] = {   /* a server's answer is behind it, or none */
        { MLREG_ENOTFOUND, NOTFOUND_HINT, "check how it is written" },
        { MLREG_EDENIED, "log in with an account that may do this", "check who owns it, and its permissions" },
        { MLREG_EDIGEST, DIGEST_HINT, DIGEST_HINT },
        { MLREG_ENET, "check the network; run it again to go on: what arrived is kept", "check the host's name and the network; run it again to go on" },
        { MLREG_ETIMEDOUT, "run it again to go on: what arrived is kept", "check the network; run it again to go on: what arrived is kept" },
        { MLREG_EPROTO, "whoever made or serves it has to mend that", "whoever made it has to mend that" },
        { MLREG_ELIMIT, "limits like this keep hostile content out; nothing of it was kept", "limits like this keep hostile content out; nothing of it was kept" },
        { MLREG_EIO, "check the disk, then run it again", "check the disk, then run it again" },
        { MLREG_ECANCELLED, "run it again to go on: what arrived is kept", "run it again to go on: what arrived is kept" },
    };

    const char *subject = mlreg_error_subject(err);

    if (mlreg_error_code(err) == MLREG_ENOTFOUND && subject != NULL && strncmp(subject, "sha256:", 7) == 0)
        return NOTFOUND_HINT;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (hints[i].code == mlreg_error_code(err))
            return mlreg_error_http_status(err) != 0 ? hints[i].there : hints[i].here;
    return NULL;
}

int fail(mlreg_error *err, const char *hint, const char *format, ...)
{
    const char *message = mlreg_error_message(err);
    char doing[COMPLAINT_BYTES], text[2 * COMPLAINT_BYTES], ours[COMPLAINT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(doing, sizeof doing, format, args);
    va_end(args);
    snprintf(text, sizeof text, "cannot %s: %s", doing, message);
    complain_first(text);
    complain_line("what", unless_said(mlreg_error_subject(err), doing, message));
    complain_line("where", unless_said(mlreg_error_place(err), doing, message));
    if (hint == NULL)
        hint = in_our_words(mlreg_error_hint(err), ours, sizeof ours);
    complain_line("hint", hint != NULL ? hint : usual_hint(err));
    mlreg_error_free(err);
    return EXIT_FAILED;
}

int fail_usage(const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain_args(hint, format, args);
    va_end(args);
    return EXIT_USAGE;
}

int fail_plainly(const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain_args(hint, format, args);
    va_end(args);
    return EXIT_FAILED;
}

int fail_stdout(int error)
{
    return fail_plainly(NULL, "cannot write to stdout%s%s", error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
}

void note(const cli *c, const char *format, ...)
{
    char text[COMPLAINT_BYTES];
    va_list args;

    if (c->quiet)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_text(stderr, text);
    fprintf(stderr, "\n");
}
