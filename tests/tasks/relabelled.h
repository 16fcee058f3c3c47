// The examples of a toy task under other labels.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "tests/tasks/toy_task.h"

namespace ink {

// c0, c1 and c2 as numbers, and as lists of labels, one of them empty.
inline const std::map<std::string, std::string> kAsNumbers = {
    {"c0", "-1"}, {"c1", "0.5"}, {"c2", "2"}};
inline const std::map<std::string, std::string> kAsLists = {
    {"c0", "first"}, {"c1", "first, last"}, {"c2", ""}};

inline void relabel(const ToyTask& task, const std::map<std::string, std::string>& names) {
  for (const char* file : {"train.tsv", "dev.tsv"}) {
    const std::string text = read_file(task.folder / file, 1 << 20);
    std::string changed = "label\ttext\n";
    for (size_t begin = text.find('\n') + 1; begin < text.size();) {
      const size_t end = text.find('\n', begin), tab = text.find('\t', begin);
      changed += names.at(text.substr(begin, tab - begin)) + text.substr(tab, end + 1 - tab);
      begin = end + 1;
    }
    write_file(task.folder / file, changed);
  }
}

}  // namespace ink
