// The floor under an exec: fork + execve + waitpid of a program in the guest, N times, 10 ms apart as in exec_client.cpp;
// microseconds, one per line.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long micros(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  for (int left = atoi(argv[1]); left > 0; --left) {
    usleep(10000);
    long start = micros();
    pid_t pid = fork();
    if (pid == 0) {
      execv(argv[2], argv + 2);
      _exit(127);
    }
    waitpid(pid, NULL, 0);
    printf("%ld\n", micros() - start);
  }
  return 0;
}
