/*
 * demo.h - the command `denoised demo`, which shows the service as a client sees it.
 */
#ifndef API_DEMO_H
#define API_DEMO_H

/* Starts a server on a free port with a temporary database, trains the spiral over HTTP, draws the
 * samples in the terminal, writes samples.svg and loss.svg, and stops the server. Returns the exit
 * status. argv: [--preset NAME]. */
int demo_run(int argc, char **argv);

#endif
