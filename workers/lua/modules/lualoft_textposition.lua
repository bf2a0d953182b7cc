-- lualoft.textposition: line and column of a position in a text, for messages.
--
-- returns position(text, pos) -> line, column: all 1-based; the column counts bytes since the last newline.

local find = string.find

return function(text, pos)
   local line, line_start, newline = 1, 1, find(text, "\n", 1, true)
   while newline and newline < pos do
      line, line_start = line + 1, newline + 1
      newline = find(text, "\n", line_start, true)
   end
   return line, pos - line_start + 1
end
