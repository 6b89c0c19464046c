/* The program `oxbow`: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "commands.h"
#include "options.h"

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static int help_command(int argc, char **argv);
static int version_command(int argc, char **argv);

static const struct command commands[] = {
    {"up", "run all services of a task and keep them running", up_command},
    {"demo", "run the task with a stream of its own and show it live", demo_command},
    {"top", "watch models, lag, throughput and health in the terminal", top_command},
    {"status", "say whether all is up and how it goes, once; --json for scripts", status_command},
    {"tail", "print the messages of a topic as they come", tail_command},
    {"publish", "bring your own stream: publish lines of standard input", publish_command},
    {"audit", "check that nothing was lost and nothing learned twice", audit_command},
    {"models", "list the models with their versions and scores", models_command},
    {"evaluate", "score models on a file, offline, as River's progressive validation",
     evaluate_command},
    {"learners", "list the classes that a model may be made of; --json for scripts",
     learners_command},
    {"alive", "ask whether a service runs, for health checks", alive_command},
    {"version", "print the version", version_command},
    {"help", "explain a command", help_command},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *out)
{
    fputs("usage: oxbow COMMAND [options]\n\nOnline machine learning on streams: predict at once, "
          "learn from every answer.\n\ncommands:\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`oxbow COMMAND --help` explains one.\n", out);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];

    struct near near = {.wanted = name};
    for (size_t i = 0; i < N_COMMANDS; i++)
        near_offer(&near, commands[i].name);
    if (near.name)
        fprintf(stderr, "oxbow: unknown command %s; did you mean %s?\n", name, near.name);
    else
        fprintf(stderr, "oxbow: unknown command %s; `oxbow help` lists them\n", name);
    return NULL;
}

static int help_command(int argc, char **argv)
{
    char help[] = "--help";

    if (argc < 2 || argv[1][0] == '-') {
        print_commands(stdout);
        return CLI_OK;
    }
    const struct command *command = find(argv[1]);
    if (!command)
        return CLI_REFUSED;
    if (command->run == help_command || command->run == version_command) {
        printf("usage: oxbow %s\n\n%s\n", command->name, command->summary);
        return CLI_OK;
    }
    char *args[] = {argv[1], help, NULL};
    return command->run(2, args);
}

static int version_command(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("oxbow " OXBOW_VERSION);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return CLI_REFUSED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_command(1, argv);
    if (strcmp(argv[1], "--version") == 0)
        return version_command(1, argv);

    const struct command *command = find(argv[1]);
    if (!command)
        return CLI_REFUSED;
    return command->run(argc - 1, argv + 1);
}
