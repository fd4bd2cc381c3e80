// Platform: x86; elsewhere: nothing is assembled, and kvm_probe_run.cpp answers without it.
//
// The probe's guest: from real mode to long mode with page tables, an IDT, a breakpoint, a page fault
// and a loop that the processor itself must run. It says each step on a port, and halts at the end:
//   R eal mode, P rotected mode, L ong mode, I DT loaded, 3 in the breakpoint's handler, i back from it,
//   F in the page fault's handler, f back from it, D one with the loop
// A KVM that only pretends (a nested host without the hardware) stops or spins on the way.
// Loaded at 0x1000 of otherwise zeroed memory; its page tables and stack lie above it.
#if defined(__x86_64__)

#define LOADED_AT 0x1000
#define AT(symbol) (symbol - kvm_guest_start + LOADED_AT)
#define PML4 0x2000
#define PDPT 0x3000
#define DIRECTORY 0x4000
#define IDT 0x5000
#define FAULT_DIRECTORY 0x6000
#define STACK 0x8000
#define FAULT_ADDRESS 0x40000000
#define FAULT_FRAME 0x200000
#define PORT 0x510
#define LOOPS 20000000

.macro say letter
  mov $\letter, %al
  out %al, %dx
.endm

  .section .rodata
  .globl kvm_guest_start, kvm_guest_end
  .balign 16
kvm_guest_start:
  .code16
  cli
  mov $PORT, %dx
  say 'R'
  lgdtl AT(gdt_pointer)
  mov %cr0, %eax
  or $1, %al
  mov %eax, %cr0
  ljmpl $0x08, $AT(protected_mode)

  .code32
protected_mode:
  mov $0x10, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $STACK, %esp
  say 'P'
  // The first 2 MiB, one large page.
  movl $(PDPT | 3), PML4
  movl $(DIRECTORY | 3), PDPT
  movl $0x83, DIRECTORY
  mov %cr4, %eax
  or $0x20, %eax                  // PAE
  mov %eax, %cr4
  mov $PML4, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx           // EFER
  rdmsr
  or $0x100, %eax                 // LME
  wrmsr
  mov %cr0, %eax
  or $0x80000000, %eax            // paging
  mov %eax, %cr0
  mov $PORT, %dx                  // rdmsr wrote it
  ljmpl $0x18, $AT(long_mode)

  .code64
long_mode:
  mov $PORT, %dx
  say 'L'
  movabs $0x00008e0000180000, %rbx  // an interrupt gate into our code segment
  lea AT(on_breakpoint)(%rbx), %rax
  mov %rax, IDT + 3 * 16
  lea AT(on_page_fault)(%rbx), %rax
  mov %rax, IDT + 14 * 16
  lidt AT(idt_pointer)
  say 'I'
  int3
  say 'i'
  mov $FAULT_ADDRESS, %edi
  mov $0x11223344, %esi
  mov %rsi, (%rdi)                // faults once
  cmp %rsi, (%rdi)
  jne stop
  say 'f'
  mov $0xc0000082, %ecx           // LSTAR
  mov $LOADED_AT, %eax
  xor %edx, %edx
  wrmsr
  mov $PORT, %dx
  swapgs
  swapgs
  mov $LOOPS, %ecx
1:
  dec %ecx
  jnz 1b
  say 'D'
stop:
  hlt

on_breakpoint:
  say '3'
  iretq

on_page_fault:
  movl $(FAULT_FRAME | 0x83), FAULT_DIRECTORY
  movl $(FAULT_DIRECTORY | 3), PDPT + 8
  say 'F'
  add $8, %rsp                    // the error code
  iretq

  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9a000000ffff        // 0x08: 32-bit code
  .quad 0x00cf92000000ffff        // 0x10: data
  .quad 0x00af9a000000ffff        // 0x18: 64-bit code
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long AT(gdt)
idt_pointer:
  .word 15 * 16 - 1
  .quad IDT
kvm_guest_end:

#else
// No other processor's guest is written yet.
#endif

  .section .note.GNU-stack, "", %progbits
