// Turns documentation, or any folder of text, into the demo's corpus and classification task.
//
//   demo_corpus OUT --html FOLDER --roff FOLDER     LibreOffice help pages and manual pages
//   demo_corpus OUT --folder FOLDER                 text files, a blank line between documents;
//                                                   classes are the entries of FOLDER
//
// OUT/text.txt: a paragraph a line, a blank line between documents. OUT/{train,dev,test}.tsv:
// label, document, text. Documents are dealt to train, dev and test (70, 10, 20 %) by a hash of
// their name, and those of dev and test stay out of text.txt, so nothing that is measured later was
// read in pre-training.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/normalize.h"
#include "text/utf8.h"

namespace {

namespace fs = std::filesystem;
using ink::check;

constexpr size_t kLongestFile = size_t{1} << 30;
constexpr std::array kParts = {"train.tsv", "dev.tsv", "test.tsv"};

struct Document {
  std::string name, label;  // no label: pre-training only
  std::vector<std::string> paragraphs;
};

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// Chinese prose: at least 15 Han characters, a third of all, and Chinese punctuation.
bool is_prose(const std::string& paragraph) {
  int han = 0, visible = 0;
  bool punctuated = false;
  for (const char32_t c : ink::decode_utf8(paragraph)) {
    han += ink::is_bert_han(c);
    visible += c != ' ';
    punctuated |= std::u32string_view(U"。！？；，：").find(c) != std::u32string_view::npos;
  }
  return han >= 15 && 3 * han >= visible && punctuated;
}

bool has_words(const std::string& paragraph) { return ink::decode_utf8(paragraph).size() >= 8; }

bool is_text(const std::string& content) {
  return content.find('\0') == std::string::npos &&
         ink::first_invalid_utf8(content) == content.size();
}

// ── HTML ────────────────────────────────────────────────────────────────────────────────────────

std::string tag_name(std::string_view tag) {  // of "/p class=…": "p"
  if (tag.starts_with('/')) tag.remove_prefix(1);
  std::string name;
  for (const char c : tag.substr(0, tag.find_first_of(" \t\r\n/>"))) {
    name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return name;
}

std::string entity(std::string_view name) {
  static const std::map<std::string_view, std::string> known = {
      {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}};
  if (const auto found = known.find(name); found != known.end()) return found->second;
  if (name.size() < 2 || name[0] != '#') return "";
  const bool hex = name[1] == 'x' || name[1] == 'X';
  const auto code =
      std::strtoul(std::string(name.substr(hex ? 2 : 1)).c_str(), nullptr, hex ? 16 : 10);
  return code > 0 && code < 0x110000 && (code < 0xd800 || code > 0xdfff)
             ? ink::encode_utf8(std::u32string(1, static_cast<char32_t>(code)))
             : "";
}

// Texts of the block elements of a page, without its head, scripts, navigation and code.
std::vector<std::string> html_blocks(std::string_view page) {
  static const std::set<std::string> skipped = {"script", "style",  "head", "pre",
                                                "nav",    "header", "aside"};
  static const std::set<std::string> blocks = {
      "p",  "div", "li", "ul", "ol", "td", "th", "tr",      "table", "h1",        "h2",
      "h3", "h4",  "h5", "h6", "dt", "dd", "br", "section", "body",  "blockquote"};
  std::vector<std::string> out(1);
  for (size_t i = 0; i < page.size();) {
    if (page[i] == '<') {
      const bool comment = page.substr(i).starts_with("<!--");
      const size_t end = comment ? page.find("-->", i) : page.find('>', i);
      if (end == std::string_view::npos) break;
      const std::string name = tag_name(page.substr(i + 1, end - i - 1));
      i = end + (comment ? 3 : 1);
      if (!comment && skipped.contains(name)) {
        const size_t close = page.find("</" + name, i);
        if (close == std::string_view::npos) break;
        i = std::min(page.find('>', close), page.size() - 1) + 1;
      }
      if (blocks.contains(name) && !out.back().empty()) out.emplace_back();
    } else if (page[i] == '&' && page.find(';', i) - i < 10) {
      const size_t end = page.find(';', i);
      out.back() += entity(page.substr(i + 1, end - i - 1));
      i = end + 1;
    } else {
      out.back() += page[i++];
    }
  }
  return out;
}

// ── roff ────────────────────────────────────────────────────────────────────────────────────────

// Text without font changes (\fB, \f(CW, \f[R]) and other escapes.
std::string without_escapes(std::string_view line) {
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 >= line.size()) {
      if (line[i] != '"') out += line[i];
      continue;
    }
    const char next = line[++i];
    if (next == 'f' && i + 1 < line.size()) {
      ++i;
      if (line[i] == '(') i += 2;
      if (line[i] == '[') i = std::min(line.find(']', i), line.size() - 1);
    } else if (next == '-') {
      out += '-';
    }
  }
  return out;
}

std::vector<std::string> roff_blocks(std::string_view page) {
  static const std::set<std::string_view> inline_macros = {".B",  ".I",  ".BR", ".IR",
                                                           ".BI", ".RI", ".SB", ".SM"};
  std::vector<std::string> out(1);
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    const bool request = line.starts_with('.') || line.starts_with('\'');
    const std::string_view macro = line.substr(0, line.find(' '));
    if (request && inline_macros.contains(macro)) {
      out.back() += without_escapes(line.substr(std::min(line.size(), macro.size() + 1)));
    } else if (request || squeezed(line).empty()) {
      if (!out.back().empty()) out.emplace_back();
    } else {
      out.back() += without_escapes(line);
    }
  }
  return out;
}

// ── documents ───────────────────────────────────────────────────────────────────────────────────

std::vector<fs::path> files_below(const fs::path& folder) {
  check(fs::is_directory(folder), "demo_corpus: expected a folder, got ", folder);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// The LibreOffice module that a help page belongs to: its folder.
std::string module_of(const fs::path& relative) {
  static const std::map<std::string, std::string> modules = {
      {"scalc", "calc"},       {"swriter", "writer"}, {"sbasic", "basic"},
      {"simpress", "impress"}, {"smath", "math"},     {"schart", "chart"}};
  const auto found = modules.find(relative.begin()->string());
  return found == modules.end() ? "" : found->second;
}

using Blocks = std::vector<std::string> (*)(std::string_view);

// Reads every page below `folder`, a document each; keeps prose that was not seen before.
void read_pages(const fs::path& folder, Blocks blocks, std::string (*label)(const fs::path&),
                std::set<std::string>& seen, std::vector<Document>& out) {
  for (const fs::path& file : files_below(folder)) {
    const fs::path relative = fs::relative(file, folder);
    Document document{relative.string(), label(relative), {}};
    for (const std::string& block : blocks(ink::read_file(file, kLongestFile))) {
      const std::string paragraph = squeezed(ink::replace_invalid_utf8(block));
      if (is_prose(paragraph) && seen.insert(paragraph).second)
        document.paragraphs.push_back(paragraph);
    }
    if (!document.paragraphs.empty()) out.push_back(std::move(document));
  }
}

// Reads every text file below `folder`: a paragraph a line, a blank line between documents.
// Pictures and other files that are not UTF-8 are left out.
void read_text_files(const fs::path& folder, std::set<std::string>& seen,
                     std::vector<Document>& out) {
  std::vector<fs::path> left_out;
  for (const fs::path& file : files_below(folder)) {
    const fs::path relative = fs::relative(file, folder);
    const std::string content = ink::read_file(file, kLongestFile);
    if (!is_text(content)) {
      left_out.push_back(relative);
      continue;
    }
    std::istringstream lines(content);
    int number = 0;
    for (bool more = true; more;) {
      Document document{relative.string() + ':' + std::to_string(++number),
                        relative.begin()->stem().string(),
                        {}};
      std::string line;
      while ((more = bool(std::getline(lines, line)))) {
        const std::string paragraph = squeezed(line);
        if (paragraph.empty()) break;
        if (has_words(paragraph) && seen.insert(paragraph).second)
          document.paragraphs.push_back(paragraph);
      }
      if (!document.paragraphs.empty()) out.push_back(std::move(document));
    }
  }
  if (!left_out.empty()) {
    std::printf("left out, as not text in UTF-8: %zu, such as %s\n", left_out.size(),
                left_out[0].c_str());
  }
}

// 0 … 99, from the document's name (FNV-1a).
uint64_t share_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
  return (hash >> 32) % 100;
}

// train, dev or test: 0, 1, 2.
size_t part_of(const Document& document) {
  const uint64_t share = share_of(document.name);
  return document.label.empty() || share < 70 ? 0 : share < 80 ? 1 : 2;
}

// Two classes, and documents to train, choose and test on.
bool is_task(const std::vector<Document>& documents) {
  std::set<std::string> labels;
  std::set<size_t> parts;
  for (const Document& d : documents) {
    if (d.label.empty()) continue;
    labels.insert(d.label);
    parts.insert(part_of(d));
  }
  return labels.size() > 1 && parts.size() == kParts.size();
}

void write_task(const fs::path& out, const std::vector<Document>& documents) {
  std::array<std::string, kParts.size()> tables;
  std::array<int, kParts.size()> counts{};
  tables.fill("label\tgroup\ttext\n");
  for (const Document& d : documents) {
    if (d.label.empty()) continue;
    for (const std::string& paragraph : d.paragraphs) {
      tables[part_of(d)] += d.label + '\t' + d.name + '\t' + paragraph + '\n';
      ++counts[part_of(d)];
    }
  }
  for (size_t i = 0; i < kParts.size(); ++i) ink::write_file(out / kParts[i], tables[i]);
  std::printf("classes: %d paragraphs to train, %d dev, %d test\n", counts[0], counts[1],
              counts[2]);
}

// What a task measures later is kept out of the text.
void write_corpus(const fs::path& out, const std::vector<Document>& documents) {
  const bool task = is_task(documents);
  std::string text;
  for (const Document& d : documents) {
    if (task && part_of(d) != 0) continue;
    for (const std::string& paragraph : d.paragraphs) text += paragraph + '\n';
    text += '\n';
  }
  check(!text.empty(), "demo_corpus: no text found");
  ink::create_folders(out);
  ink::write_file(out / "text.txt", text);
  std::printf("%zu documents, %.2f MB of text for pre-training\n", documents.size(),
              static_cast<double>(text.size()) / 1e6);
  for (const char* name : kParts) fs::remove(out / name);  // of another text, perhaps
  if (task) {
    write_task(out, documents);
  } else {
    std::printf(
        "no classification task: it needs two classes (entries of the folder) and some documents "
        "in each\n");
  }
}

std::string no_label(const fs::path&) { return ""; }

int run(const std::vector<std::string>& arguments) {
  check(arguments.size() >= 3 && arguments.size() % 2 == 1,
        "usage: demo_corpus OUT [--html FOLDER] [--roff FOLDER] [--folder FOLDER]");
  std::vector<Document> documents;
  std::set<std::string> seen;
  for (size_t i = 1; i < arguments.size(); i += 2) {
    const fs::path folder = arguments[i + 1];
    if (arguments[i] == "--html") {
      read_pages(folder, html_blocks, module_of, seen, documents);
    } else if (arguments[i] == "--roff") {
      read_pages(folder, roff_blocks, no_label, seen, documents);
    } else if (arguments[i] == "--folder") {
      read_text_files(folder, seen, documents);
    } else {
      ink::fail("demo_corpus: expected --html, --roff or --folder, got ", arguments[i]);
    }
  }
  write_corpus(arguments[0], documents);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const ink::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
}
