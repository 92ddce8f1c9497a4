/* complain.c - errors on stderr, as a good compiler says them: what, where, what to do. */
#include "shown.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool plain_terminal(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDERR_FILENO) == 0 || (no_color != NULL && no_color[0] != '\0') || term == NULL || strcmp(term, "dumb") == 0;
}

void complain_first(const char *text)
{
    fflush(stdout);                    /* what was printed so far stands before the reason why it ends */
    fprintf(stderr, plain_terminal() ? "mlreg: error: " : "mlreg: \033[1;31merror:\033[0m ");
    write_text(stderr, text);
    fprintf(stderr, "\n");
}

void complain_line(const char *what, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    fprintf(stderr, plain_terminal() ? "  %s: " : "  \033[1m%s:\033[0m ", what);
    write_text(stderr, text);
    fprintf(stderr, "\n");
}

void complain_args(const char *hint, const char *format, va_list args)
{
    char text[COMPLAINT_BYTES];

    vsnprintf(text, sizeof text, format, args);
    complain_first(text);
    complain_line("hint", hint);
}

void complain(const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain_args(hint, format, args);
    va_end(args);
}
