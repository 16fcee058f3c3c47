// One error type, one way to raise it: check(condition, "op: what was expected, got ", value).
//
// A message says what was expected, what was found and, where we can guess, what to do.
// Errors carry the place in the source that raised them: what() shows both, message() is
// the sentence alone.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace ink {

class Error : public std::runtime_error {
 public:
  Error(std::string message, const char* file, int line)
      : std::runtime_error(message + "  [" + file + ':' + std::to_string(line) + ']'),
        message_(std::move(message)) {}
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// A text that remembers where it was written (std::source_location, which clang 14 lacks).
struct Message {
  const char* text;
  const char* file;
  int line;
  consteval Message(const char* text_, const char* file_ = __builtin_FILE(),  // NOLINT: implicit
                    int line_ = __builtin_LINE())
      : text(text_), file(file_), line(line_) {}
};

template <class... Parts>
[[noreturn, gnu::cold]] void fail(Message m, const Parts&... parts) {
  std::ostringstream out;
  out << m.text;
  ((out << parts), ...);
  throw Error(out.str(), m.file, m.line);
}

template <class... Parts>
void check(bool ok, Message m, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(m, parts...);
}

}  // namespace ink
