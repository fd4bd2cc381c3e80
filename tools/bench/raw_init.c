// The named peer of the cold start: an /init that does by hand what a machine needs before a command can run, and no
// more. Platform: erofs; elsewhere: it ends with the name of the mount. Platform: overlay; elsewhere: likewise. Loads the same modules, mounts the same root (EROFS under an overlay on the disk), runs `sh -c` of the kernel
// argument raw_cmd (spaces as '+'), whose output goes to the serial line, prints a mark, powers off.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  reboot(RB_POWER_OFF);
}

static void load_modules(void) {
  FILE *order = fopen("/modules/load.order", "r");
  char name[256], path[300];
  if (!order) die("load.order");
  while (fgets(name, sizeof name, order)) {
    name[strcspn(name, "\n")] = 0;
    snprintf(path, sizeof path, "/modules/%s", name);
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
      syscall(SYS_finit_module, fd, "", 0);
      close(fd);
    }
  }
  fclose(order);
}

// The device node of the virtio disk with this serial.
static void find_disk(const char *serial, char *node, size_t size) {
  for (char letter = 'a'; letter <= 'h'; ++letter) {
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/sys/block/vd%c/serial", letter);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    if (read(fd, text, sizeof text - 1) > 0 && strncmp(text, serial, strlen(serial)) == 0) {
      snprintf(node, size, "/dev/vd%c", letter);
      close(fd);
      return;
    }
    close(fd);
  }
  die(serial);
}

static void mount_root(void) {
  char root[32], disk[32];
  find_disk("capsem-root", root, sizeof root);
  find_disk("capsem-disk", disk, sizeof disk);
  mkdir("/lower", 0755), mkdir("/disk", 0755), mkdir("/new", 0755);
  if (mount(root, "/lower", "erofs", MS_RDONLY, "")) die("mount root");
  if (mount(disk, "/disk", "ext4", 0, "")) die("mount disk");
  mkdir("/disk/upper", 0755), mkdir("/disk/work", 0755);
  if (mount("overlay", "/new", "overlay", 0, "lowerdir=/lower,upperdir=/disk/upper,workdir=/disk/work")) die("overlay");
  mount("proc", "/new/proc", "proc", 0, "");
  mount("sysfs", "/new/sys", "sysfs", 0, "");
  mount("devtmpfs", "/new/dev", "devtmpfs", 0, "");
  mount("tmpfs", "/new/tmp", "tmpfs", 0, "");
  mount("tmpfs", "/new/run", "tmpfs", 0, "");
  if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) die("switch root");
}

static void read_command(char *command, size_t size) {
  char line[4096] = "";
  int fd = open("/proc/cmdline", O_RDONLY);
  if (fd < 0 || read(fd, line, sizeof line - 1) < 0) die("cmdline");
  close(fd);
  char *found = strstr(line, "raw_cmd=");
  if (!found) die("raw_cmd");
  found += strlen("raw_cmd=");
  found[strcspn(found, " \n")] = 0;
  for (char *c = found; *c; ++c) {
    if (*c == '+') *c = ' ';
  }
  snprintf(command, size, "%s", found);
}

int main(void) {
  char command[4096];
  mount("proc", "/proc", "proc", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  read_command(command, sizeof command);
  load_modules();
  mount_root();
  pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("\nRAW-BOOT-DONE %d\n", WEXITSTATUS(status));
  fflush(stdout);
  tcdrain(1);
  reboot(RB_POWER_OFF);
  return 0;
}
