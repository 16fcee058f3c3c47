// What the program shows while it works (stderr), and how Ctrl-C reaches a training loop.
#pragma once
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "autograd/trainer.h"

namespace ink::cli {

// Set by SIGINT, SIGTERM and SIGUSR1 (which mpirun and batch systems hand on and do not follow by a
// kill) once catch_interrupts() was called; a second one ends the process.
extern std::atomic<bool> interrupted;
void catch_interrupts();

// Text for a terminal: control characters other than the ends of lines, which data may hold, are
// spelled out.
std::string printable(std::string_view text);

// A line on stderr: "inkstone: …"; nothing for an empty sentence.
void notice(const std::string& sentence);

// Training progress: a bar that redraws itself on a terminal, otherwise a line every few seconds.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::string title);
  ~ProgressDisplay();  // ends the bar's line
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  void show(const Progress& progress);
  void say(const std::string& sentence);  // a notice above the bar

 private:
  std::string title_;
  bool terminal_, drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

// Says that a training has stopped and how it goes on; returns the status of the process,
// 128 + the signal, as the shell says of one that a signal has ended.
int say_stopped(ProgressDisplay& display);
int say_uncompared(ProgressDisplay& display);  // the same of one that stopped behind its training
int stopped_status();                          // that status without a word

// "1.2 k", "34.5 M"
std::string with_unit(double value);
// "4:05" (minutes:seconds) or "2:10:00"
std::string as_duration(double seconds);

}  // namespace ink::cli
