// Progress bars, notices and signals.
#include "cli/terminal.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>

#include "cli/format.h"

namespace ink::cli {

std::atomic<bool> interrupted{false};

namespace {

std::atomic<int> interrupting_signal{SIGINT};

extern "C" void on_interrupt(int signal) {
  interrupting_signal = signal;
  if (interrupted.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  constexpr std::string_view kHeard = "\ninkstone: stopping; once more ends at once\n";
  const int error = errno;  // stdio is not for signal handlers, and what they interrupt reads errno
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kHeard.data(), kHeard.size());
  errno = error;
}

std::string bar(double fraction) {
  constexpr int kWidth = 24;
  const int full = static_cast<int>(std::lround(fraction * kWidth));
  std::string text;
  for (int i = 0; i < kWidth; ++i) text += i < full ? "█" : "░";
  return text;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGUSR1, on_interrupt);
}

std::string printable(std::string_view text) {
  constexpr unsigned kFirstPrintable = 0x20, kDelete = 0x7F, kC1 = 0xC2, kEndOfC1 = 0xA0;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : kEndOfC1;
    const bool c1 = byte == kC1 && next < kEndOfC1;  // U+0080 to U+009F
    if (c1)
      out += formatted("\\x%02x", static_cast<unsigned char>(text[++i]));
    else if ((byte < kFirstPrintable && byte != '\n') || byte == kDelete)
      out += formatted("\\x%02x", byte);
    else
      out += text[i];
  }
  return out;
}

void notice(const std::string& sentence) {
  if (sentence.empty()) return;
  std::fprintf(stderr, "inkstone: %s\n", printable(sentence).c_str());
}

std::string with_unit(double value) {
  if (value >= 1e9) return formatted("%.2f G", value / 1e9);
  if (value >= 1e6) return formatted("%.2f M", value / 1e6);
  if (value >= 1e3) return formatted("%.1f k", value / 1e3);
  return formatted("%.0f", value);
}

std::string as_duration(double seconds) {
  const long s = std::lround(seconds);
  if (s >= 3600) return formatted("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return formatted("%ld:%02ld", s / 60, s % 60);
}

ProgressDisplay::ProgressDisplay(std::string title)
    : title_(std::move(title)),
      terminal_(isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now()) {}

ProgressDisplay::~ProgressDisplay() {
  if (drawn_) std::fputc('\n', stderr);
}

void ProgressDisplay::show(const Progress& p) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_ && p.step < p.steps) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000));
  const double fraction = p.steps ? static_cast<double>(p.step) / static_cast<double>(p.steps) : 0;
  // On the CUDA device the first steps run ahead of what has been read of them.
  const bool known = p.loss != 0 || p.gradient_norm > 0;
  const std::string figures =
      formatted("%ld/%ld  ", static_cast<long>(p.step), static_cast<long>(p.steps)) +
      (known ? formatted("loss %.4f  ", p.loss) : "") + formatted("lr %.2e  ", p.learning_rate) +
      (p.gradient_norm > 0 ? formatted("|g| %.2f  ", p.gradient_norm) : "") +
      with_unit(p.tokens_per_second) + " tokens/s  " + as_duration(p.seconds_left) + " left";
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s %s %s", title_.c_str(), bar(fraction).c_str(),
                 figures.c_str());
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s: %s\n", title_.c_str(), figures.c_str());
  }
  std::fflush(stderr);
}

void ProgressDisplay::say(const std::string& sentence) {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
  notice(title_ + ": " + sentence);
}

int say_stopped(ProgressDisplay& display) {
  display.say("stopped after a checkpoint; the same command with --resume goes on");
  return stopped_status();
}

int say_uncompared(ProgressDisplay& display) {
  display.say("stopped before the models were compared; the same command with --resume does so");
  return stopped_status();
}

int stopped_status() { return 128 + interrupting_signal; }

}  // namespace ink::cli
