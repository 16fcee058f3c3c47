// Reading a verb's options from the command line and from a JSON file, and explaining them.
#include "cli/command.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/format.h"
#include "tensor/file.h"
#include "tensor/parallel.h"

namespace ink::cli {
namespace {

constexpr size_t kMargin = 26, kWidth = 100;  // columns of --help: where explanations begin and end

// Words of `text` from column kMargin on, in as many lines as they need.
std::string wrapped(const std::string& text) {
  std::string lines;
  size_t column = kMargin;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (column + (end - at) > kWidth) {
      lines += '\n' + std::string(kMargin, ' ');
      column = kMargin;
    } else if (at > 0) {
      lines += ' ';
    }
    lines += text.substr(at, end - at);
    column += end - at + 1;
    at = end + 1;
  }
  return lines;
}

}  // namespace

Command::Command(std::string name, std::string summary)
    : name_(std::move(name)), summary_(std::move(summary)) {}

// ── declaring ───────────────────────────────────────────────────────────────────────────────────

void Command::add(Entry entry) {
  entry.section = section_;
  if (!entry.many) {  // exactly one value
    entry.set = [set = std::move(entry.set)](const auto& words, const std::string& place) {
      if (words.size() != 1)
        throw UsageError(place + ": expected one value, got " + std::to_string(words.size()));
      set(words, place);
    };
  }
  entries_.push_back(std::move(entry));
}

void Command::option(const std::string& name, int64_t& target, const std::string& help,
                     const WholeRange& range) {
  add({.name = name,
       .type = "N",
       .standard = std::to_string(target),
       .help = help,
       .set = [&target, range](const auto& words, const std::string& place) {
         target = whole_from(words[0], range, place);
       }});
}

void Command::option(const std::string& name, double& target, const std::string& help,
                     const RealRange& range) {
  add({.name = name,
       .type = "REAL",
       .standard = formatted("%g", target),
       .help = help,
       .set = [&target, range](const auto& words, const std::string& place) {
         target = real_from(words[0], range, place);
       }});
}

void Command::text(const std::string& name, std::string& target, const std::string& help) {
  add({.name = name,
       .type = "TEXT",
       .standard = target,
       .help = help,
       .set = [&target](const auto& words, const std::string&) { target = words[0]; }});
}

void Command::path(const std::string& name, std::string& target, const std::string& help) {
  text(name, target, help);
  entries_.back().type = "PATH";
}

void Command::list(const std::string& name, std::vector<std::string>& target,
                   const std::string& help, const std::string& type) {
  add({.name = name,
       .type = type + "...",
       .help = help,
       .many = true,
       .set = [&target](const auto& words, const std::string& place) {
         if (words.empty()) throw UsageError(place + ": expected at least one value, got none");
         target = words;
       }});
}

void Command::choice(const std::string& name, std::string& target,
                     const std::vector<std::string>& known, const std::string& help) {
  std::string type;
  for (const std::string& each : known) type += (type.empty() ? "" : "|") + each;
  add({.name = name,
       .type = type,
       .standard = target,
       .help = help,
       .set = [&target, known](const auto& words, const std::string& place) {
         check_choice(words[0], known, place);
         target = words[0];
       }});
}

void Command::flag(const std::string& name, bool& target, const std::string& help) {
  add({.name = name, .help = help, .set = [&target](const auto& words, const std::string& place) {
         target = truth_from(words[0], place);
       }});
}

void Command::require(const std::string& name) { required_.push_back(name); }

void Command::own_keys(const std::vector<std::string>& keys) { own_keys_ = keys; }

// ── reading ─────────────────────────────────────────────────────────────────────────────────────

Command::Entry* Command::find(const std::string& name) {
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  return found == entries_.end() ? nullptr : &*found;
}

bool Command::given(const std::string& name) const {
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  return found != entries_.end() && found->given;
}

void Command::fail_unknown(const std::string& place, const std::string& name) const {
  std::vector<std::string> known;
  for (const Entry& e : entries_) {
    if (place.empty() || e.name != "--config") known.push_back(place.empty() ? e.name : e.key());
  }
  if (!place.empty()) known.insert(known.end(), own_keys_.begin(), own_keys_.end());
  throw UsageError(place + "'" + name + "' is no option of '" + name_ + "'" +
                   suggestion(name, known));
}

// Reads the option that stands at arguments[at]; returns where the next one is.
size_t Command::read_option(const std::vector<std::string>& arguments, size_t at) {
  const size_t equals = arguments[at].find('=');
  const std::string name = arguments[at].substr(0, equals);
  ++at;
  Entry* entry = find(name);
  if (!entry) fail_unknown("", name);
  if (entry->given && !entry->many) throw UsageError(name + ": expected once, got twice");
  const size_t before = entry->words.size();
  std::vector<std::string>& words = entry->words;
  if (equals != std::string::npos) {
    words.push_back(arguments[at - 1].substr(equals + 1));
  } else if (entry->type.empty()) {
    words.emplace_back("true");
  } else {
    const size_t most = entry->many ? arguments.size() : 1;
    while (at < arguments.size() && words.size() < before + most &&
           !arguments[at].starts_with("--"))
      words.push_back(arguments[at++]);
  }
  if (words.size() == before) throw UsageError(name + ": expected a value behind it, got none");
  entry->set(words, name);
  entry->given = true;
  return at;
}

// False when help was asked for.
bool Command::read_arguments(const std::vector<std::string>& arguments) {
  const auto asks = [](const std::string& word) { return word == "--help" || word == "-h"; };
  if (std::ranges::any_of(arguments, asks)) return false;
  for (size_t at = 0; at < arguments.size();) {
    const std::string& word = arguments[at];
    if (word.starts_with("--")) {
      at = read_option(arguments, at);
      continue;
    }
    const auto next = std::ranges::find_if(
        entries_, [](const Entry& e) { return !e.name.starts_with("--") && !e.given; });
    if (next == entries_.end() || word.starts_with("-")) fail_unknown("", word);
    next->set({word}, next->name);
    next->given = true;
    ++at;
  }
  return true;
}

// Values from the file go to options that the command line left alone.
void Command::read_file_options() {
  file_ = as_usage([&] { return parse_json(read_file(config_, size_t{16} << 20), config_); });
  if (!file_.is_object())
    throw UsageError(config_ + ": expected an object of options of '" + name_ + "'");
  for (const Json::Member& m : file_.members()) {
    if (std::ranges::find(own_keys_, m.key) != own_keys_.end()) continue;
    std::string key = m.key;
    std::ranges::replace(key, '_', '-');
    const auto entry =
        std::ranges::find_if(entries_, [&](const Entry& e) { return e.key() == key; });
    if (entry == entries_.end() || key == "config") fail_unknown(config_ + ": ", m.key);
    if (entry->given) continue;
    const std::string place = config_ + ": " + m.key;
    entry->set(words_of(m.value, place), place);
    entry->given = true;
  }
}

bool Command::parse(const std::vector<std::string>& arguments) {
  section("Common");
  path("--config", config_, "JSON file with the same options as keys; options given here win");
  constexpr WholeRange kThreads{0, 256};
  option("--threads", threads_, "threads; 0 = one for each core", kThreads);
  option("--seed", seed, "seed of all random numbers");
  add({.name = "--device",
       .type = "cpu",
       .standard = "cpu",
       .help = "what computes; this build has no other device",
       .set = [](const auto& words, const std::string& place) {
         if (words[0] != "cpu")
           throw UsageError(place + ": expected cpu, the only device of this build, got '" +
                            words[0] + "'");
       }});
  flag("--json", json, "make the last line of output one JSON object with the results");
  if (!read_arguments(arguments)) {
    std::fputs(help().c_str(), stdout);
    return false;
  }
  if (!config_.empty()) read_file_options();
  for (const std::string& needed : required_) {
    if (!given(needed))
      throw UsageError("expected " + needed + " (see inkstone " + name_ + " --help)");
  }
  if (threads_ > 0) set_threads(static_cast<int>(threads_));
  return true;
}

// ── explaining ──────────────────────────────────────────────────────────────────────────────────

std::string Command::help() const {
  std::string text = "inkstone " + name_ + ": " + summary_ + "\n\nusage: inkstone " + name_;
  for (const Entry& e : entries_)
    if (!e.name.starts_with("--")) text += " " + e.name;
  text += " [options]\n";
  const std::string* section = nullptr;
  for (const Entry& e : entries_) {
    if (!section || *section != e.section) text += "\n" + e.section + "\n";
    section = &e.section;
    std::string head = "  " + e.name + (e.type.empty() ? "" : " " + e.type);
    head += head.size() + 2 > kMargin ? "\n" + std::string(kMargin, ' ')
                                      : std::string(kMargin - head.size(), ' ');
    text +=
        head + wrapped(e.help + (e.standard.empty() ? "" : " (default " + e.standard + ")")) + "\n";
  }
  return text;
}

}  // namespace ink::cli
