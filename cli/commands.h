/* The commands of `oxbow`: each reads its own command line (argv[0] is its name) and gives the exit
 * status. */
#ifndef OXBOW_CLI_COMMANDS_H
#define OXBOW_CLI_COMMANDS_H

int up_command(int argc, char **argv);
int demo_command(int argc, char **argv);
int tail_command(int argc, char **argv);
int publish_command(int argc, char **argv);
int audit_command(int argc, char **argv);
int evaluate_command(int argc, char **argv);
int learners_command(int argc, char **argv);
int models_command(int argc, char **argv);
int status_command(int argc, char **argv);
int top_command(int argc, char **argv);
int alive_command(int argc, char **argv);

#endif
