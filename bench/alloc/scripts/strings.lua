-- Strings: read, split, changed, joined and kept in tables, as a template engine or a log filter does.
local words, order, joined = {}, {}, {}
for line in io.lines(arg[1]) do
  local parts = {}
  for word in line:gmatch("%a+") do
    if not words[word] then
      words[word] = 0
      order[#order + 1] = word
    end
    words[word] = words[word] + 1
    parts[#parts + 1] = word:sub(1, 1):upper() .. word:sub(2)
  end
  if #joined < 30000 then joined[#joined + 1] = table.concat(parts, ", ") end
  if #order > 35000 then break end
end
table.sort(order, function(a, b)
  if words[a] ~= words[b] then return words[a] > words[b] end
  return a < b
end)
local text = table.concat(joined, "\n")
local replaced = text:gsub("Ba", "<b>%0</b>")
print(#order, #joined, #text, #replaced, order[1], order[2], words[order[1]])
