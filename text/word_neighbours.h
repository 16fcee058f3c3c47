// WordNeighbours: for each word the most similar ones, best first.
//
//   word<TAB>neighbour similarity neighbour similarity …
//
// is a line of its file: small, readable, and made once, as all pairs of a vocabulary are many.
//
//   WordNeighbours table;
//   table.add("预测", {{"预见", 0.81f}, {"预报", 0.78f}});
//   table.save("neighbours.txt");
//   for (const auto& [number, similarity] : table.of("预测")) table.words()[number];
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/word_list.h"

namespace ink {

struct Neighbour {
  int32_t word;      // a number of WordNeighbours::words()
  float similarity;  // from −1 to 1, as cosines are; only their order has a meaning
  bool operator==(const Neighbour&) const = default;
};

class WordNeighbours {
 public:
  struct Named {
    std::string_view word;
    float similarity;
  };

  // Words from a file of such lines. Raises Error that names the line for a word that is there
  // already or its own neighbour, a similarity that is no finite number, and invalid UTF-8.
  static WordNeighbours load(const std::filesystem::path& path);
  static WordNeighbours parse(std::string_view content, const std::string& source);

  // Neighbours of a word, best first. Raises Error when the word has some already.
  void add(std::string_view word, std::span<const Named> neighbours);
  void add(std::string_view word, std::initializer_list<Named> neighbours) {
    add(word, std::span(neighbours.begin(), neighbours.size()));
  }

  // Nothing for a word that is not there.
  std::span<const Neighbour> of(std::string_view word) const;
  std::span<const Neighbour> of(int32_t word) const;
  // Words with neighbours, and words that are only neighbours.
  const WordList& words() const { return words_; }
  int64_t size() const { return size_; }  // words with neighbours

  // Written beside and renamed. Raises Error when a word is empty or holds a blank.
  void save(const std::filesystem::path& path) const;

 private:
  struct Range {
    uint32_t begin = 0, end = 0;  // in all_
  };
  WordList words_;
  std::vector<Range> ranges_;  // by word; shorter than words_ where the last have no neighbours
  std::vector<Neighbour> all_;
  int64_t size_ = 0;
};

// The neighbours of each word in `first` and behind them, up to `most` in all, those in `second`.
WordNeighbours joined(const WordNeighbours& first, const WordNeighbours& second, int64_t most);

// Whether a content's first line is one of a stored table.
bool begins_as_neighbours(std::string_view content);

}  // namespace ink
