// A dictionary for the segmenter from a plain list of words and text that uses them.
//
// Word lists without frequencies are easy to find; frequencies that fit the text at hand are what
// makes a good segmentation. Viterbi training: cut the text with the frequencies so far (at first
// equal, so the fewest words win), count the words, repeat.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace ink {

struct DictionaryReport {
  int64_t words = 0;    // in the dictionary
  int64_t found = 0;    // of them, in the text
  int64_t counted = 0;  // words of the text
};

// Lists have a word a line; what follows a tab, a space or '/' is ignored, as are lines that begin
// with '#' and words of one character or with anything but Han (U+3400 to U+4DBF, U+4E00 to
// U+9FFF). Texts are files, or folders of *.txt files, in UTF-8. `out` is written as "word
// frequency" lines in order of code points: every word of the lists with a frequency of at least 1,
// and the single characters that the text uses as words. Raises Error for missing files, text that
// is not UTF-8, and lists without a word; `out` is then as it was.
DictionaryReport build_dictionary(const std::vector<std::filesystem::path>& lists,
                                  const std::vector<std::filesystem::path>& texts,
                                  const std::filesystem::path& out, int rounds = 3);

}  // namespace ink
