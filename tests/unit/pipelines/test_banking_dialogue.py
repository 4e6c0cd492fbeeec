# ruff: noqa: E501 - one conversation to a line reads best
"""What the offline language service makes of callers' sentences: which tool of the bank, and with which arguments.

A line is the caller's turns, " / " between them, and what the last one leads to: a tool with its arguments, `asks` with
the slot that is asked for, `says` with the matter answered in words, or `nothing`: no tool is called. `WITH_THEM` was
written while the templates were; many of its sentences stand in one. `AFTER_THEM` was written when they stood, and those
of its sentences that stand in a template do not count. At first sight 91 % of it was right; some of its mistakes have
been mended since, so that it flatters a little now.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import pytest

from core.spoken import amounts_meant
from pipelines.banking import AGENT
from pipelines.banking.phrases import VIEW
from providers.offline.dialogue import END_CALL, Act, Dialogue
from providers.offline.everyday import EVERYDAY
from providers.offline.hearing import Ear, words_of
from providers.offline.intents import Classifier, trained
from providers.phrases import Intent, Value

NOW = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)
"""Ten in the morning of a Wednesday in India."""

NAMES = ("Ravi", "Jane", "John", "Mom", "Mike", "Ravi Kumar", "Jane Smith", "John Doe", "Mary Doe", "Mike Brown")
TOOLS = {tool.name: tool for tool in AGENT.tools}
DRAFTS = ("send_money", "pay_bill")
READ_BACK = "Shall I go ahead?"

WITH_THEM = """
# Balance and transactions
hi, just wanted to see what I'm left with in savings -> get_balance account=savings
Kindly let me know the money lying in my current a/c -> get_balance account=current
what do I have in hand right now -> get_balance
Balance enquiry for salary account -> get_balance account=current
quickly tell the balance na -> get_balance
can you see whether my savings has enough money -> get_balance account=savings
how much is there in total in my bank account -> get_balance
Pls share my a/c balance -> get_balance
my last 4 transactions, please -> get_transactions count=4
read out the most recent seven entries on my current account -> get_transactions count=7; account=current
which transactions happened lately in my savings -> get_transactions account=savings
show me what all got debited recently -> get_transactions
I'd like to go over the previous ten transactions -> get_transactions count=10
was there any credit in my account -> get_transactions
what were the two latest payments -> get_transactions count=2
tell me my last transaction sir -> get_transactions
give details of the last six debits -> get_transactions count=6

# Spending
how much did I spend on groceries last month -> get_spending period=last month; category=groceries
what's my total spending this month -> get_spending period=this month
How much have I spent on fuel so far this year? -> get_spending period=this year; category=fuel
tell me how much went for petrol last week -> get_spending period=last week; category=fuel
what did eating out cost me this month -> get_spending period=this month; category=dining
in the last month how much money did I spend -> get_spending period=last month
can you total up my grocery bills for last month -> get_spending period=last month; category=groceries
how much was spent on restaurants yesterday -> get_spending period=yesterday; category=dining
my expenses for this week please -> get_spending period=this week
how much money have I burned on food today -> get_spending period=today; category=dining
what was my expenditure on electricity last year -> get_spending period=last year; category=electricity
add up everything I spent last week -> get_spending period=last week
did I spend a lot on dining this month -> get_spending period=this month; category=dining
spending on groceries -> get_spending category=groceries
how much do I spend on pizza this month -> get_spending period=this month; category=pizza
how much have I paid for my loan this year -> get_spending period=this year; category=loan
total spent on shopping in the previous month -> get_spending period=last month; category=shopping
how much did I spend on groceries last month / and this month -> get_spending period=this month; category=groceries
how much did I spend on groceries last month / what about fuel -> get_spending period=last month; category=fuel
what did I spend this week / and last week -> get_spending period=last week

# Payees
who can I send money to -> list_payees
tell me the names of my payees -> list_payees
which people are saved in my list -> list_payees
read out my beneficiary list -> list_payees
to whom all can I transfer money -> list_payees
do I have any saved contacts for payment -> list_payees

# Sending money
send five hundred to Ravi -> send_money payee=Ravi; amount=500
Please transfer ₹2,500 to Jane -> send_money payee=Jane; amount=2500
I need you to send Mike fifteen hundred rupees -> send_money payee=Mike; amount=1500
kindly transfer two lakh rupees to John Doe -> send_money payee=John Doe; amount=200000
can we pay Mom three thousand from my current account -> send_money payee=Mom; amount=3000; account=current
give Ravi Kumar a hundred rupees -> send_money payee=Ravi Kumar; amount=100
five thousand rupees to Jane please -> send_money payee=Jane; amount=5000
send one and a half thousand to Mike -> send_money payee=Mike; amount=1500
I owe Jane seven hundred and fifty, send it to her -> send_money payee=Jane; amount=750
transfer twenty five thousand to Ravi's account -> send_money payee=Ravi; amount=25000
do a transfer of ten thousand to Mom -> send_money payee=Mom; amount=10000
Ravi needs two thousand rupees, please send it -> send_money payee=Ravi; amount=2000
from my savings send eight hundred to John -> send_money payee=John; amount=800; account=savings
pay six hundred fifty rupees to Mike using the current account -> send_money payee=Mike; amount=650; account=current
could you move four thousand to Jane Smith -> send_money payee=Jane Smith; amount=4000
let's send Mom 1.5 lakh -> send_money payee=Mom; amount=150000
put twelve hundred in Ravi's savings account -> send_money payee=Ravi; amount=1200
hello, I would like to make a payment of nine hundred rupees to Jane -> send_money payee=Jane; amount=900
wire Mike thirty thousand rupees today itself -> send_money payee=Mike; amount=30000
send to Mom rupees four hundred only -> send_money payee=Mom; amount=400
shoot Ravi five hundred -> send_money payee=Ravi; amount=500
remit fifty thousand to John -> send_money payee=John; amount=50000
please send double five hundred, sorry, five hundred to Jane -> send_money payee=Jane; amount=500
send five hundred, no make it six hundred to Ravi -> send_money payee=Ravi; amount=600
I'd like to pay back Mike eighty rupees fifty paise -> send_money payee=Mike; amount=80.5
transfer two and a half lakh to Mom out of my savings account -> send_money payee=Mom; amount=250000; account=savings
send my mother five thousand -> send_money payee=Mom; amount=5000
one thousand two hundred for Jane for the concert tickets -> send_money payee=Jane; amount=1200
pay Bob three hundred rupees -> send_money payee=bob; amount=300
send 5k to Ravi -> send_money payee=Ravi; amount=5000
my friend Ravi has to get three hundred and twenty rupees from me -> send_money payee=Ravi; amount=320
I have to return two thousand to Mike -> send_money payee=Mike; amount=2000
could I send a little money, three hundred, to Jane -> send_money payee=Jane; amount=300

# Sending money, piece by piece
send money to Ravi -> asks amount
I'd like to transfer some cash -> asks payee
transfer five hundred -> asks payee
pay Jane -> asks amount
let me send something to Mom -> asks amount
send fifty dollars to Jane -> asks amount
send money to Ravi / five hundred -> send_money payee=Ravi; amount=500
I want to pay Jane / two thousand rupees please -> send_money payee=Jane; amount=2000
transfer five hundred / to Mike -> send_money payee=Mike; amount=500
make a transfer / to Mom / seven thousand five hundred -> send_money payee=Mom; amount=7500
send money / Ravi / fifty -> send_money payee=Ravi; amount=50
send five hundred to Ravi / no make it six hundred -> send_money payee=Ravi; amount=600
send five hundred to Ravi / actually to Mom -> send_money payee=Mom; amount=500
send five hundred to Ravi / no no, not Ravi, Mike -> send_money payee=Mike; amount=500
send five hundred to Ravi / from my current account please -> send_money payee=Ravi; amount=500; account=current
send five hundred to Ravi / change the amount to seven hundred -> send_money payee=Ravi; amount=700
send five hundred to Ravi / wait, I meant Jane Smith -> send_money payee=Jane Smith; amount=500
send five hundred to Ravi / eight hundred instead -> send_money payee=Ravi; amount=800
send five hundred to Ravi / sorry, fifty, not five hundred -> send_money payee=Ravi; amount=50
send five hundred to Ravi / use my savings for it -> send_money payee=Ravi; amount=500; account=savings
send five hundred to Ravi / send it to Jane instead -> send_money payee=Jane; amount=500
send five hundred to Ravi / and the same to Mike -> send_money payee=Mike; amount=500
send money to Ravi / what's my balance -> get_balance
send money to Ravi / forget it -> nothing
transfer five hundred / to my cousin Bobby -> send_money payee=cousin bobby; amount=500

# Bills
what bills do I need to pay -> list_bills
are any of my bills pending this month -> list_bills
tell me about my dues -> list_bills
how much is the electricity bill this time -> list_bills
by when should I pay the water bill -> list_bills
what's due this week -> list_bills
do I owe anything for my mobile -> list_bills
read me the unpaid bills -> list_bills
any outstanding payments on my side -> list_bills
pay my electricity bill -> pay_bill bill=electricity
pay the phone bill -> pay_bill bill=phone
clear the water bill for me please -> pay_bill bill=water
I'd like to settle my internet bill from my current account -> pay_bill bill=internet; account=current
please make the payment for the light bill -> pay_bill bill=electricity
can you take care of the gas bill -> pay_bill bill=gas
broadband bill, pay it -> pay_bill bill=internet
do the mobile bill payment -> pay_bill bill=mobile
I have to pay for electricity -> pay_bill bill=electricity
kindly pay my wifi bill using savings -> pay_bill bill=internet; account=savings
my power bill is to be paid now -> pay_bill bill=electricity
pay off the credit card bill -> pay_bill bill=credit card
pay the Quicknet bill -> pay_bill bill=quicknet
let us pay the D T H bill -> pay_bill bill=television
pay a bill -> asks bill
I want to do a bill payment -> asks bill
pay my bill / the electricity one -> pay_bill bill=electricity
pay my electricity bill / no the water bill -> pay_bill bill=water
pay a bill / water please -> pay_bill bill=water
what bills are due / pay the internet one -> pay_bill bill=internet
pay my electricity bill / from savings -> pay_bill bill=electricity; account=savings

# Loans
how much do I owe on my home loan -> get_loans
what's left to pay on the house loan -> get_loans
when is the next EMI going out -> get_loans
tell me my loan outstanding -> get_loans
what is my monthly instalment -> get_loans
how many rupees are still pending on the loan -> get_loans
I want to know about my existing loan -> get_loans
loan balance please -> get_loans
do I have any loans with you -> get_loans
what's my EMI amount -> get_loans

# Reminders
remind me to pay the rent on the first of next month at nine -> add_reminder text=pay the rent; day=2026-12-01; at=09:00
remind me tomorrow to call the bank -> add_reminder text=call the bank; day=2026-11-26
set a reminder for friday to submit the documents -> add_reminder text=submit the documents; day=2026-11-27
Could you remind me to renew my insurance on 15th December? -> add_reminder text=renew my insurance; day=2026-12-15
please remind me about the school fees next monday -> add_reminder text=the school fees; day=2026-11-30
remind me every month on the fifth to pay the maid -> add_reminder text=pay the maid; day=2026-12-05; repeats=monthly
don't let me forget to send money to Ravi tomorrow morning at ten -> add_reminder text=send money to Ravi; day=2026-11-26; at=10:00
I want a reminder at six in the evening to check my balance -> add_reminder text=check my balance; day=2026-11-25; at=18:00
tomorrow evening at seven remind me to pay the electricity bill -> add_reminder text=pay the electricity bill; day=2026-11-26; at=19:00
add a reminder for the tenth to transfer the rent -> add_reminder text=transfer the rent; day=2026-12-10
remind me day after tomorrow at half past four to visit the branch -> add_reminder text=visit the branch; day=2026-11-27; at=16:30
every friday remind me to check the account -> add_reminder text=check the account; day=2026-11-27; repeats=weekly
remind me daily at eight in the morning to take my medicine -> add_reminder text=take my medicine; day=2026-11-26; at=08:00; repeats=daily
put a reminder for 5 pm today to call Jane -> add_reminder text=call Jane; day=2026-11-25; at=17:00
remind me in three days that the bill is due -> add_reminder text=the bill is due; day=2026-11-28
can you please remind me at the end of the month to pay my credit card -> add_reminder text=pay my credit card; day=2026-11-30
remind me next week to deposit the cheque -> add_reminder text=deposit the cheque; day=2026-12-02
remind me in two hours to call back -> add_reminder text=call back; day=2026-11-25; at=12:00
make a note to remind me on the second of january to file my taxes -> add_reminder text=file my taxes; day=2027-01-02
remind me tonight at nine to switch off the geyser -> add_reminder text=switch off the geyser; day=2026-11-25; at=21:00
remind me to pay the rent -> asks day
remind me to call the bank / tomorrow at eleven -> add_reminder text=call the bank; day=2026-11-26; at=11:00
remind me on saturday -> asks text
set a reminder -> asks text
set a reminder / to pay the society maintenance / on the third at noon -> add_reminder text=pay the society maintenance; day=2026-12-03; at=12:00
remind me tomorrow / call my lawyer -> add_reminder text=call my lawyer; day=2026-11-26
remind me tomorrow to call the bank / make that friday -> add_reminder text=call the bank; day=2026-11-27
remind me tomorrow to call the bank / at three pm -> add_reminder text=call the bank; day=2026-11-26; at=15:00
what are my reminders -> list_reminders
do I have any reminders set -> list_reminders
read my reminders out to me -> list_reminders
what have I asked you to remind me of -> list_reminders
list out all the reminders -> list_reminders
which reminders are coming up -> list_reminders

# Cards, people, complaints
I lost my debit card -> block_card card=debit
I've dropped my credit card somewhere, block it please -> block_card card=credit
my ATM card got stolen on the train -> block_card card=debit
please hotlist my card at once -> block_card
there's a transaction on my account I never did -> block_card
someone has taken my purse with all the cards -> block_card
freeze my credit card right away -> block_card card=credit
I can't find my card anywhere -> block_card
a fraud has happened on my debit card -> block_card card=debit
I want to speak to a person -> ask_for_person
can I get some human being on the line -> ask_for_person
connect me to customer care executive -> ask_for_person
I don't want to talk to a bot, give me a manager -> ask_for_person
please ask somebody to call me back -> ask_for_person
is any agent available to talk -> ask_for_person
I want to complain -> ask_for_person complaint=true
I'd like to register a complaint about your service -> ask_for_person complaint=true
I am very unhappy with this bank, note my complaint -> ask_for_person complaint=true
lodge a complaint for me -> ask_for_person complaint=true

# Pages, and what waits
show me my statement -> show_page view=statement
open the bills page -> show_page view=bills
take me to the payees screen -> show_page view=payees
can you bring up my accounts on the screen -> show_page view=accounts
go to the loans page please -> show_page view=loans
display the reminders page -> show_page view=reminders
open the transfer screen -> show_page view=transfer
put my statement on the screen -> show_page view=statement
go back to the call page -> show_page view=call
what was that transfer again -> read_draft_again
read the payment to me once more before I decide -> read_draft_again
which transfer is waiting for my approval -> read_draft_again

# What it cannot do is said plainly
I want to open a new savings account -> says profile
change my registered mobile number please -> says profile
what is my IFSC code -> says profile
I forgot my ATM pin -> says profile
please send me a cheque book -> says profile
how do I update my address -> says profile
I want to apply for a car loan -> says offers
what interest do you give on fixed deposits -> says offers
move two thousand from savings to current -> says own_transfer
transfer money between my two accounts -> says own_transfer
set up a standing instruction for my rent -> says standing_order
add a new beneficiary -> show_page view=payees
recharge my prepaid phone with two hundred rupees -> says recharge

# Everyday turns and other matters
what all can you do for me -> nothing
could you say that once again -> nothing
please talk a bit slower -> nothing
thanks a lot for the help -> nothing
good morning -> nothing
what's the weather going to be like tomorrow -> nothing
who won yesterday's cricket match -> nothing
can you book me a cab to the airport -> nothing
tell me a funny joke -> nothing
play some old hindi songs -> nothing
my dog is not feeling well -> nothing
how far is the moon -> nothing
no thanks -> nothing
are you a machine -> nothing
never mind -> nothing

# Balance and transactions
sir my balance please -> get_balance
um what's the position of my account as on today -> get_balance
could you be so kind as to tell me how much I have in savings -> get_balance account=savings
how much is my closing balance in current account -> get_balance account=current
is there still money left in the savings one -> get_balance account=savings
i'm at the shop, how much can I spend -> get_balance
tell me what happened in my account in the last few days -> get_transactions
last five entries in savings please -> get_transactions count=5; account=savings
what were my eight most recent transactions -> get_transactions count=8
who did I pay last -> get_transactions
I'd like my mini statement -> get_transactions
check whether my refund has come -> get_transactions
could you run me through the last three payments from current -> get_transactions count=3; account=current
how many rupees are left with me -> get_balance

# Spending
what's the damage on restaurants this month -> get_spending period=this month; category=dining
how much has gone into groceries this week -> get_spending period=this week; category=groceries
tell me what I've spent since yesterday -> get_spending period=yesterday
I'm curious how much we spent on petrol last month -> get_spending period=last month; category=fuel
calculate my last week's expenses -> get_spending period=last week
how much do I usually pay for electricity, say last month -> get_spending period=last month; category=electricity
my medicine expenses this year please -> get_spending period=this year; category=health
how much money did I spend today -> get_spending period=today
and on travel, how much last year -> get_spending period=last year; category=travel
how much did I spend on my daughter's wedding last year -> get_spending period=last year; category=daughter's wedding
how much did I spend last month / only groceries -> get_spending period=last month; category=groceries

# Payees
whom can I pay from here -> list_payees
give me the list of saved beneficiaries -> list_payees
which names do I have in my payee list -> list_payees
what are the contacts saved with you -> list_payees

# Sending money
I'd like you to send Ravi a thousand rupees -> send_money payee=Ravi; amount=1000
transfer eleven hundred to Mom's account -> send_money payee=Mom; amount=1100
can you do one thing, send two thousand five hundred to Jane -> send_money payee=Jane; amount=2500
pay John Doe forty five thousand from savings -> send_money payee=John Doe; amount=45000; account=savings
send Mike his three hundred and fifty rupees -> send_money payee=Mike; amount=350
i want to gift my mom ten thousand rupees -> send_money payee=Mom; amount=10000
hey please wire three lakh to Ravi Kumar today -> send_money payee=Ravi Kumar; amount=300000
five hundred rupees to Mike from my savings -> send_money payee=Mike; amount=500; account=savings
Rs. 1,250 to Jane -> send_money payee=Jane; amount=1250
jane ko send seven hundred rupees -> send_money payee=Jane; amount=700
do a quick transfer of six thousand to John -> send_money payee=John; amount=6000
kindly pay two thousand two hundred to Mike through current account -> send_money payee=Mike; amount=2200; account=current
okay so now transfer nine hundred to Ravi -> send_money payee=Ravi; amount=900
I borrowed five thousand from Jane, pay her back -> send_money payee=Jane; amount=5000
would you transfer half a lakh to Mom -> send_money payee=Mom; amount=50000
let me pay Mike for dinner, eight fifty -> send_money payee=Mike; amount=850
send a crore to Ravi -> send_money payee=Ravi; amount=10000000
send ninety nine rupees fifty paise to Jane -> send_money payee=Jane; amount=99.5
two thousand to Ravi, use my current account -> send_money payee=Ravi; amount=2000; account=current
send Mike ten, sorry, fifteen thousand -> send_money payee=Mike; amount=15000
give three hundred to Sanjay -> send_money payee=sanjay; amount=300

# Piece by piece
I need to make a payment to Jane -> asks amount
I have to send some money -> asks payee
send four thousand rupees -> asks payee
can you pay Mike for me -> asks amount
I want to send money to Mike / eight hundred rupees -> send_money payee=Mike; amount=800
pay Ravi / make it two thousand -> send_money payee=Ravi; amount=2000
transfer ten thousand / Mike please -> send_money payee=Mike; amount=10000
transfer ten thousand / it's for Jane -> send_money payee=Jane; amount=10000
send money / to John Doe / one lakh rupees -> send_money payee=John Doe; amount=100000
send money to Mom / hmm, let's say four thousand -> send_money payee=Mom; amount=4000
send two hundred to Jane / no, two thousand -> send_money payee=Jane; amount=2000
send two hundred to Jane / not Jane, John -> send_money payee=John; amount=200
send two hundred to Jane / I want it from savings -> send_money payee=Jane; amount=200; account=savings
send two hundred to Jane / make that three hundred and to Mike -> send_money payee=Mike; amount=300
send two hundred to Jane / oh wait, it should be two fifty -> send_money payee=Jane; amount=250
send two hundred to Jane / actually pay Mike instead -> send_money payee=Mike; amount=200
send two hundred to Jane / what bills are due -> list_bills
send money to Jane / leave it -> nothing

# Bills
tell me which bills are pending -> list_bills
is my water bill due -> list_bills
how much does the internet bill come to -> list_bills
when do I have to pay the electricity -> list_bills
have I got anything to pay this month -> list_bills
check my bills -> list_bills
what all dues are there -> list_bills
I want to clear my electricity bill -> pay_bill bill=electricity
go ahead and pay the water bill -> pay_bill bill=water
please pay my mobile bill from savings -> pay_bill bill=mobile; account=savings
can you make my broadband payment -> pay_bill bill=internet
settle the gas bill today -> pay_bill bill=gas
electricity bill has to be paid -> pay_bill bill=electricity
take care of my phone bill -> pay_bill bill=phone
let's finish off the water bill payment -> pay_bill bill=water
pay my credit card dues -> pay_bill bill=credit card
pay school fees -> pay_bill bill=education
I'd like to pay one of my bills -> asks bill
pay a bill / internet -> pay_bill bill=internet
I want to pay a bill / the one for water -> pay_bill bill=water
pay the water bill / use current account -> pay_bill bill=water; account=current
pay the water bill / sorry, I meant electricity -> pay_bill bill=electricity
pay the Sunrise Power bill -> pay_bill bill=electricity

# Loans
what's outstanding on my housing loan -> get_loans
how much EMI do I have to pay -> get_loans
how many EMIs are left -> get_loans
home loan status please -> get_loans
till when do I have to pay my loan -> get_loans
tell me how much loan I have -> get_loans
when's my next instalment -> get_loans

# Reminders
remind me on monday to pay the driver -> add_reminder text=pay the driver; day=2026-11-30
please set a reminder to pay my gas bill tomorrow at ten am -> add_reminder text=pay my gas bill; day=2026-11-26; at=10:00
remind me at eight thirty tonight to lock the door -> add_reminder text=lock the door; day=2026-11-25; at=20:30
can you remind me to transfer five thousand to Mom on the first -> add_reminder text=transfer five thousand to Mom; day=2026-12-01
I need a reminder for my dentist appointment on thursday at four -> add_reminder text=my dentist appointment; day=2026-11-26; at=16:00
remind me every month to pay rent on the first -> add_reminder text=pay rent; day=2026-12-01; repeats=monthly
remind me weekly on sunday to check my expenses -> add_reminder text=check my expenses; day=2026-11-29; repeats=weekly
keep a reminder for twentieth of january, insurance premium -> add_reminder text=insurance premium; day=2027-01-20
tomorrow morning remind me to call Jane -> add_reminder text=call Jane; day=2026-11-26; at=09:00
remind me in a week to follow up on my complaint -> add_reminder text=follow up on my complaint; day=2026-12-02
remind me after two days to recharge -> add_reminder text=recharge; day=2026-11-27
would you remind me the day after tomorrow to buy gold -> add_reminder text=buy gold; day=2026-11-27
remind me about the loan EMI on the fourth at quarter past nine in the morning -> add_reminder text=the loan EMI; day=2026-12-04; at=09:15
set a reminder please / pay the maid / tomorrow at six -> add_reminder text=pay the maid; day=2026-11-26; at=18:00
remind me to renew my policy / next friday -> add_reminder text=renew my policy; day=2026-11-27
remind me to call mom / at nine pm -> add_reminder text=call Mom; day=2026-11-25; at=21:00
remind me to check the account / never mind -> nothing
add a reminder to collect the cheque -> asks day
tell me my reminders -> list_reminders
are there reminders for this week -> list_reminders
what reminders have I set -> list_reminders

# Cards, people, complaints
I have lost my card -> block_card
kindly block my debit card immediately -> block_card card=debit
somebody stole my credit card yesterday -> block_card card=credit
my wallet is gone with my ATM card inside -> block_card card=debit
I see a payment which I did not make -> block_card
my card is missing, please stop it -> block_card
I'd rather talk to a human -> ask_for_person
can somebody from the bank call me -> ask_for_person
get me your supervisor -> ask_for_person
connect me with a real person please -> ask_for_person
I need to talk to the branch manager -> ask_for_person
I wish to file a complaint against your branch -> ask_for_person complaint=true
this is terrible service, I want to complain -> ask_for_person complaint=true
where do I complain -> ask_for_person complaint=true

# Pages
show my bank statement on the screen -> show_page view=statement
open my bills -> show_page view=bills
take me to reminders -> show_page view=reminders
bring me to the payees page -> show_page view=payees
can I see the loans page -> show_page view=loans
open accounts -> show_page view=accounts
so what was that payment again -> read_draft_again
read that transfer again please -> read_draft_again

# Not from here
how do I open a fixed deposit -> says offers
I would like a personal loan -> says offers
change my email id -> says profile
what's my account number -> says profile
reset my debit card pin -> says profile
transfer ten thousand from current to savings -> says own_transfer
pay my rent automatically every month -> says standing_order
recharge my mobile -> says recharge
where is the nearest ATM -> says profile
I want a new debit card -> says profile

# Everyday and elsewhere
hello there -> nothing
what else can you do -> nothing
I couldn't hear you properly -> nothing
thank you so much -> nothing
how's the traffic today -> nothing
which movie should I watch tonight -> nothing
my son is studying in london -> nothing
what time does the train leave -> nothing
can you cook biryani -> nothing
no that's wrong -> nothing
hold on a minute -> nothing
goodbye -> nothing

# Balance and transactions
bhaiya balance batao, I mean tell me the balance -> get_balance
just a quick check of the funds in my savings please -> get_balance account=savings
how much is sitting idle in my current account -> get_balance account=current
do one thing, tell the balance amount first -> get_balance
I'm planning to buy a fridge, how much do I have -> get_balance
after all the payments what is left with me -> get_balance
would you please go through my latest six entries -> get_transactions count=6
narrate the last two transactions to me -> get_transactions count=2
what has moved in my current account of late -> get_transactions account=current
has the money from my tenant come in -> get_transactions

# Spending
this month's grocery spend, how much is it -> get_spending period=this month; category=groceries
I feel I'm overspending, what's my expense this month -> get_spending period=this month
what amount did I shell out for petrol last month -> get_spending period=last month; category=fuel
figure out my dining expense for last week -> get_spending period=last week; category=dining
how big was my electricity outgo last month -> get_spending period=last month; category=electricity
in rupees what did I spend yesterday -> get_spending period=yesterday
sum of everything spent this week please -> get_spending period=this week
how much rent have I paid this year -> get_spending period=this year; category=rent
any idea how much I spent on movies last month -> get_spending period=last month; category=entertainment

# Payees
names of people I've saved for transfers -> list_payees
remind me who all are my payees -> list_payees
to which people can I remit -> list_payees

# Sending money
could you kindly arrange to send Jane four thousand five hundred rupees -> send_money payee=Jane; amount=4500
I want Ravi to receive eighteen hundred rupees from my savings -> send_money payee=Ravi; amount=1800; account=savings
need to push seventy five thousand to John Doe urgently -> send_money payee=John Doe; amount=75000
please drop two hundred in Mike's account -> send_money payee=Mike; amount=200
Mom is asking for eight thousand, transfer it -> send_money payee=Mom; amount=8000
for the party send Mike one thousand one hundred rupees -> send_money payee=Mike; amount=1100
hmm okay, transfer like three thousand rupees to Jane -> send_money payee=Jane; amount=3000
go ahead with five thousand five hundred to Ravi Kumar from current -> send_money payee=Ravi Kumar; amount=5500; account=current
my share of the rent is twelve thousand, send that to Mike -> send_money payee=Mike; amount=12000
clear my dues with Jane, that's six hundred and forty rupees -> send_money payee=Jane; amount=640
kindly do the needful and pay Ravi nine thousand -> send_money payee=Ravi; amount=9000
pay four hundred to Suresh the milkman -> send_money payee=suresh; amount=400
let Mom have two lakh rupees from my savings account -> send_money payee=Mom; amount=200000; account=savings
can you get ten thousand across to Jane Smith -> send_money payee=Jane Smith; amount=10000
I promised Ravi three thousand five hundred so please send it across -> send_money payee=Ravi; amount=3500

# Piece by piece
I'd like to send something to my mother today -> asks amount
there is some money I owe Mike, can you pay him -> asks amount
a payment of three thousand has to be made -> asks payee
send Jane her money / it's two thousand five hundred -> send_money payee=Jane; amount=2500
I need to pay someone / Mike it is -> asks amount
send a thousand to Jane / hold on, not a thousand, two thousand -> send_money payee=Jane; amount=2000
send a thousand to Jane / let that be from the current account -> send_money payee=Jane; amount=1000; account=current
send a thousand to Jane / I'd rather send it to Mom -> send_money payee=Mom; amount=1000
send a thousand to Jane / oops I meant fifteen hundred -> send_money payee=Jane; amount=1500
send a thousand to Jane / on second thoughts give it to Ravi -> send_money payee=Ravi; amount=1000
transfer seven thousand / send it to my mom -> send_money payee=Mom; amount=7000
send money to Ravi / whatever, say nine hundred -> send_money payee=Ravi; amount=900

# Bills
did the electricity people send a bill -> list_bills
what's the last date for my water bill -> list_bills
which of my bills are still unpaid -> list_bills
how many bills are yet to be paid -> list_bills
tell me if something is due -> list_bills
is any payment due from me in the coming days -> list_bills
I'd be glad if you could pay the water bill -> pay_bill bill=water
let me get rid of this month's electricity bill -> pay_bill bill=electricity
the internet bill has come, go ahead and pay that -> pay_bill bill=internet
use my current account and pay the mobile bill -> pay_bill bill=mobile; account=current
do the electricity bill first -> pay_bill bill=electricity
my gas bill is pending since days, please pay -> pay_bill bill=gas
water bill needs to go today -> pay_bill bill=water
I want the phone bill paid off -> pay_bill bill=phone
pay a bill / it's the broadband one -> pay_bill bill=internet
pay the water bill / not water, the internet one -> pay_bill bill=internet
pay the water bill / take it from savings please -> pay_bill bill=water; account=savings

# Loans
how far along am I with my home loan -> get_loans
what is the remaining principal on the loan -> get_loans
how much more is to be paid for the house loan -> get_loans
on which date does my EMI go -> get_loans
give me an update on my loan -> get_loans

# Reminders
kindly put an alert to remind me on sunday to call my sister -> add_reminder text=call my sister; day=2026-11-29
I keep forgetting, so remind me tomorrow at five to take the tablets -> add_reminder text=take the tablets; day=2026-11-26; at=17:00
on the tenth remind me that the insurance lapses -> add_reminder text=the insurance lapses; day=2026-12-10
it would be great if you remind me on tuesday to meet the manager -> add_reminder text=meet the manager; day=2026-12-01
please see that I'm reminded to pay the school fees on the seventh of next month -> add_reminder text=pay the school fees; day=2026-12-07
ping me, I mean remind me at four thirty to leave for the airport -> add_reminder text=leave for the airport; day=2026-11-25; at=16:30
hey, remind me in ten days to renew the fixed deposit -> add_reminder text=renew the fixed deposit; day=2026-12-05
every month on the tenth remind me to submit the bills -> add_reminder text=submit the bills; day=2026-12-10; repeats=monthly
could you put in a reminder to buy the tickets by friday -> add_reminder text=buy the tickets; day=2026-11-27
set up a reminder tomorrow noon to check my cibil score -> add_reminder text=check my cibil score; day=2026-11-26; at=12:00
remind me to pay the plumber / say thursday evening -> add_reminder text=pay the plumber; day=2026-11-26; at=18:00
I want to be reminded of something / picking up the laundry / tomorrow at ten -> add_reminder text=picking up the laundry; day=2026-11-26; at=10:00
remind me tomorrow at five to call John / sorry, at six -> add_reminder text=call John; day=2026-11-26; at=18:00
have I got any reminders lined up -> list_reminders
go over whatever reminders I have -> list_reminders

# Cards, people, complaints
a pickpocket got my debit card -> block_card card=debit
my credit card is nowhere to be found -> block_card card=credit
quick, stop all transactions on my card, it's stolen -> block_card
some fellow is spending on my credit card -> block_card card=credit
ten thousand got debited and it wasn't me -> block_card
I'm not comfortable with a machine, get me somebody -> ask_for_person
is it possible to speak with bank staff -> ask_for_person
have one of your officers ring me -> ask_for_person
this is not helping, give me customer support -> ask_for_person
I'm fed up, please log a complaint -> ask_for_person complaint=true
nobody at the branch listens, whom do I complain to -> ask_for_person complaint=true

# Pages
let the screen show my loans -> show_page view=loans
pull my statement up so that I can read it -> show_page view=statement
I can't see my bills, put them on the screen -> show_page view=bills
flip to the reminders screen -> show_page view=reminders
could I look at the beneficiaries on screen -> show_page view=payees
hang on, what transfer did you want me to confirm -> read_draft_again
we were doing a payment, read it to me again -> read_draft_again

# Not from here
I'd like to put fifty thousand in a fixed deposit -> says offers
how much home loan can I get on my salary -> says offers
the address in your records is old, change it -> says profile
kindly issue a fresh cheque book -> says profile
I want to set a new UPI pin -> says profile
shift twenty thousand from my savings into current -> says own_transfer
let five thousand go to Mom automatically every month -> says standing_order
put a hundred rupees talk time on my prepaid -> says recharge

# Everyday and elsewhere
who is the finance minister of india -> nothing
is it raining in mumbai right now -> nothing
my kids are making a lot of noise -> nothing
tell my wife I'll be late -> nothing
I like old cars -> nothing
please wait, somebody is at the door -> nothing
that's lovely, thanks -> nothing
come again, the line was bad -> nothing
okay bye then, take care -> nothing
a bit louder please -> nothing
"""

AFTER_THEM = """
# Balance and transactions
good evening, I need my savings account balance, if you don't mind -> get_balance account=savings
the amount available in my current account, please tell -> get_balance account=current
I forgot how much is there in my account -> get_balance
do I still have something in savings -> get_balance account=savings
my friend says I'm broke, what's my balance really -> get_balance
is my balance above ten thousand -> get_balance
what figure does my savings account show now -> get_balance account=savings
I withdrew some cash, so what's the balance now -> get_balance
could I trouble you for my last four transactions -> get_transactions count=4
read the newest three entries of my savings account -> get_transactions count=3; account=savings
I don't recall my recent payments, can you list them -> get_transactions
has anything been deposited in my account this week -> get_transactions
kindly read the previous five transactions one by one -> get_transactions count=5
what were the last ten things debited from current -> get_transactions count=10; account=current
just the latest two transactions will do -> get_transactions count=2

# Spending
give me the total of what I spent last week -> get_spending period=last week
I want an idea of my grocery spending this year -> get_spending period=this year; category=groceries
this week how much has petrol cost me -> get_spending period=this week; category=fuel
what did we spend on eating out last month, roughly -> get_spending period=last month; category=dining
how much money has been spent by me this month -> get_spending period=this month
what's my average, I mean total shopping spend last month -> get_spending period=last month; category=shopping
was my spending on food high this month -> get_spending period=this month; category=dining
have I spent anything on medicines this week -> get_spending period=this week; category=health
tell me yesterday's spending -> get_spending period=yesterday
last month's total expense please -> get_spending period=last month
and how much on groceries in the current month -> get_spending period=this month; category=groceries
how much did the internet cost me last year -> get_spending period=last year; category=internet
what have I spent on my car this year -> get_spending period=this year; category=car
how much did I spend on fuel last month / and the month before, no, this month -> get_spending period=this month; category=fuel
my spending this week / and on groceries -> get_spending period=this week; category=groceries

# Payees
could you tell me whom I have saved as payees -> list_payees
I'd like to know the names in my beneficiary list -> list_payees
who are the persons I can transfer to -> list_payees
are Ravi and Jane in my payees -> list_payees
how many payees have I got -> list_payees

# Sending money
I'd like to send Mom her usual five thousand -> send_money payee=Mom; amount=5000
Ravi asked me for two thousand, please transfer that -> send_money payee=Ravi; amount=2000
kindly arrange a transfer of fifteen thousand rupees to Jane -> send_money payee=Jane; amount=15000
hello bank, send six hundred rupees to Mike now -> send_money payee=Mike; amount=600
can we do four hundred and fifty to John -> send_money payee=John; amount=450
please get three thousand rupees to my mom from savings -> send_money payee=Mom; amount=3000; account=savings
I'm supposed to pay Jane eleven thousand today -> send_money payee=Jane; amount=11000
transfer the sum of twenty two thousand rupees to Ravi Kumar -> send_money payee=Ravi Kumar; amount=22000
take one thousand from my current account and send it to Mike -> send_money payee=Mike; amount=1000; account=current
I'll be giving Mike seven hundred, so send him that -> send_money payee=Mike; amount=700
for the flat send Jane Smith one lakh twenty thousand -> send_money payee=Jane Smith; amount=120000
quickly send Ravi 350 rupees -> send_money payee=Ravi; amount=350
Transfer Rs 4,999 to Jane please. -> send_money payee=Jane; amount=4999
I have decided to send John three and a half thousand -> send_money payee=John; amount=3500
make Mike richer by two hundred rupees -> send_money payee=Mike; amount=200
it's Mom's birthday, send her two thousand one hundred -> send_money payee=Mom; amount=2100
pay the electrician Prakash eight hundred rupees -> send_money payee=prakash; amount=800
send nine hundred to Jane, no wait, eight hundred -> send_money payee=Jane; amount=800
I need five hundred to go to Ravi from savings account -> send_money payee=Ravi; amount=500; account=savings
sir please credit two thousand to John Doe's account -> send_money payee=John Doe; amount=2000
just send Jane the twelve hundred I owe her -> send_money payee=Jane; amount=1200
please give Ravi a sum of six thousand rupees -> send_money payee=Ravi; amount=6000

# Piece by piece
I was thinking of sending Ravi some money -> asks amount
money has to be sent to Jane -> asks amount
I want to do a money transfer now -> asks payee
could you send six thousand for me -> asks payee
help me pay Mike -> asks amount
money has to be sent to Jane / around, no, exactly two thousand -> send_money payee=Jane; amount=2000
I want to do a money transfer now / Ravi / five thousand rupees only -> send_money payee=Ravi; amount=5000
could you send six thousand for me / that's for Mike -> send_money payee=Mike; amount=6000
send eight hundred to Mike / the account should be savings -> send_money payee=Mike; amount=800; account=savings
send eight hundred to Mike / no no, make it nine hundred please -> send_money payee=Mike; amount=900
send eight hundred to Mike / sorry it's for Jane, not Mike -> send_money payee=Jane; amount=800
send eight hundred to Mike / can you take it from my current account -> send_money payee=Mike; amount=800; account=current
send eight hundred to Mike / I meant eighty rupees -> send_money payee=Mike; amount=80
send eight hundred to Mike / send that to Ravi also -> send_money payee=Ravi; amount=800
send eight hundred to Mike / how much is in my savings -> get_balance account=savings
send money to Mike / what are my payees -> list_payees

# Bills
I'd like to hear which bills are due -> list_bills
how much do I have to shell out for electricity this time -> list_bills
are all my bills paid -> list_bills
tell me the due date of the internet bill -> list_bills
how much is pending for water -> list_bills
do I have some bill left to pay -> list_bills
which bill is due next -> list_bills
please get my electricity bill paid -> pay_bill bill=electricity
I'm calling to pay the water bill -> pay_bill bill=water
help me with paying my phone bill -> pay_bill bill=phone
I'd like to pay this month's internet bill now -> pay_bill bill=internet
could you kindly clear the mobile bill through savings -> pay_bill bill=mobile; account=savings
electricity, pay that bill please -> pay_bill bill=electricity
please make a payment towards my gas bill -> pay_bill bill=gas
it's time to pay my broadband bill -> pay_bill bill=internet
can I get the light bill paid from my current account -> pay_bill bill=electricity; account=current
pay the insurance premium for me -> pay_bill bill=insurance
a bill has to be paid -> asks bill
help me pay a bill / it's the mobile bill -> pay_bill bill=mobile
pay my phone bill / no sorry, water -> pay_bill bill=water
pay my phone bill / from the savings account please -> pay_bill bill=phone; account=savings
pay the Riverside bill -> pay_bill bill=riverside

# Loans
could you check the outstanding amount of my home loan -> get_loans
I want to see how much of the loan I have repaid -> get_loans
what do I still owe the bank for my house -> get_loans
how much is my next EMI and when is it due -> get_loans
how many more instalments on the home loan -> get_loans
is my loan nearly finished -> get_loans
let me know the loan details -> get_loans

# Reminders
remind me on the ninth of december to book the tickets -> add_reminder text=book the tickets; day=2026-12-09
please remind me at eleven tomorrow to send the documents -> add_reminder text=send the documents; day=2026-11-26; at=11:00
I want you to remind me next thursday to pay my tutor -> add_reminder text=pay my tutor; day=2026-11-26
remind me to charge my phone tonight at ten -> add_reminder text=charge my phone; day=2026-11-25; at=22:00
kindly remind me about my mother's appointment on saturday at nine in the morning -> add_reminder text=my mother's appointment; day=2026-11-28; at=09:00
put a reminder on the first of january to renew the lease -> add_reminder text=renew the lease; day=2027-01-01
in four days remind me to return the books -> add_reminder text=return the books; day=2026-11-29
can you set a monthly reminder to pay the rent on the third -> add_reminder text=pay the rent; day=2026-12-03; repeats=monthly
remind me every monday at eight to submit my report -> add_reminder text=submit my report; day=2026-11-30; at=08:00; repeats=weekly
make sure you remind me tomorrow afternoon to collect the parcel -> add_reminder text=collect the parcel; day=2026-11-26; at=14:00
remind me in half an hour to check my balance -> add_reminder text=check my balance; day=2026-11-25; at=10:30
set a reminder for month end to pay the staff -> add_reminder text=pay the staff; day=2026-11-30
I'd like a reminder about the cylinder booking on friday -> add_reminder text=the cylinder booking; day=2026-11-27
don't let me forget the property tax on the twentieth -> add_reminder text=the property tax; day=2026-12-20
remind me please to send Ravi five hundred on sunday -> add_reminder text=send Ravi five hundred; day=2026-11-29
remind me to feed the cat -> asks day
I'd like you to remind me of something tomorrow -> asks text
remind me to feed the cat / seven in the evening -> add_reminder text=feed the cat; day=2026-11-25; at=19:00
put a reminder for tomorrow / to call the plumber -> add_reminder text=call the plumber; day=2026-11-26
remind me on friday to call the bank / no, saturday -> add_reminder text=call the bank; day=2026-11-28
I'd like to hear my reminders -> list_reminders
is there any reminder for tomorrow -> list_reminders
what did I want to be reminded of -> list_reminders

# Cards, people, complaints
my handbag was stolen and the cards are in it -> block_card
oh no, I left my debit card at the petrol pump, block it -> block_card card=debit
please deactivate my stolen credit card -> block_card card=credit
I'm unable to find my ATM card since morning -> block_card card=debit
there is an unknown debit in my account -> block_card
can my card be blocked right now -> block_card
someone is misusing my card, do something -> block_card
I think it's better if I talk to someone -> ask_for_person
is there no human in this bank -> ask_for_person
put your senior on the line -> ask_for_person
please get a relationship manager to call me -> ask_for_person
I'd like assistance from a bank officer -> ask_for_person
I want my complaint to be registered -> ask_for_person complaint=true
your service is bad, I'm going to complain -> ask_for_person complaint=true
please accept a complaint about the ATM near my house -> ask_for_person complaint=true

# Pages
I'd love to see my statement on screen -> show_page view=statement
show the reminders page on my phone -> show_page view=reminders
please open up the loans screen -> show_page view=loans
bring my bills page up -> show_page view=bills
can you take me to the transfer page -> show_page view=transfer
let me have a look at the accounts page -> show_page view=accounts
what was the payment we were talking about -> read_draft_again
tell me once more what you are about to send -> read_draft_again

# Not from here
I'd like to know about your gold loan offers -> says offers
please break my fixed deposit -> says offers
I have shifted to a new house, update the address -> says profile
can I get my customer id -> says profile
how do I activate my new card -> says profile
move all my savings money to current -> says own_transfer
cancel my auto debit for the rent -> says standing_order
do a prepaid recharge of three hundred -> says recharge
I have to add my landlord as a new payee -> show_page view=payees
delete the reminder about the rent -> show_page view=reminders

# Everyday and elsewhere
can you find me a good dentist -> nothing
what's the capital of france -> nothing
our fridge has stopped working -> nothing
I'm watching cricket right now -> nothing
sing me a lullaby -> nothing
you're speaking too quickly -> nothing
what kind of things do you know -> nothing
thanks, you've been very helpful -> nothing
one second, I'm getting a pen -> nothing
alright, that's everything, bye -> nothing
yes please -> nothing
who am I speaking with -> nothing

# Balance and transactions
before I pay anything, what's in my savings account -> get_balance account=savings
I think I have about twenty thousand, can you confirm my balance -> get_balance
let me have the current account's balance -> get_balance account=current
anything left in my account after the weekend -> get_balance
I want to go through my last eight payments -> get_transactions count=8
tell me the last couple of transactions in current -> get_transactions count=2; account=current
was any amount credited to my savings lately -> get_transactions account=savings
my latest debits please -> get_transactions

# Spending
how was my spending on groceries this week -> get_spending period=this week; category=groceries
how much of my money went to restaurants last year -> get_spending period=last year; category=dining
please work out my expenses for this year -> get_spending period=this year
I need to know what I spent on electricity last month -> get_spending period=last month; category=electricity
did I spend on fuel yesterday -> get_spending period=yesterday; category=fuel
how much cash did I spend on gifts this month -> get_spending period=this month; category=gifts
total for groceries, last week -> get_spending period=last week; category=groceries

# Payees, sending money
I'd like to check who is there in my payee list -> list_payees
tell me all the people I can send money to -> list_payees
I should send Jane three hundred before I forget -> send_money payee=Jane; amount=300
kindly move eight thousand five hundred to Ravi -> send_money payee=Ravi; amount=8500
send forty thousand to my mom from the current account -> send_money payee=Mom; amount=40000; account=current
Mike paid for lunch, so pay him back four hundred and twenty -> send_money payee=Mike; amount=420
I want two thousand seven hundred transferred to Jane Smith -> send_money payee=Jane Smith; amount=2700
one lakh fifty thousand rupees should go to John Doe -> send_money payee=John Doe; amount=150000
please do a five thousand rupee transfer to Ravi Kumar -> send_money payee=Ravi Kumar; amount=5000
give my mummy one thousand rupees -> send_money payee=Mom; amount=1000
transfer ₹750 to Mike using savings -> send_money payee=Mike; amount=750; account=savings
send six hundred and something, no, exactly six hundred to Jane -> send_money payee=Jane; amount=600
send a small amount to Ravi -> asks amount
I've got to transfer two thousand -> asks payee
let's make a transfer to Mike / four thousand four hundred -> send_money payee=Mike; amount=4400
I've got to transfer two thousand / to whom, to Jane -> send_money payee=Jane; amount=2000
send five thousand to Mom / actually six thousand -> send_money payee=Mom; amount=6000
send five thousand to Mom / not from savings, from current -> send_money payee=Mom; amount=5000; account=current
send five thousand to Mom / I said Mike -> send_money payee=Mike; amount=5000
send five thousand to Mom / make it fifteen hundred for Jane -> send_money payee=Jane; amount=1500

# Bills and loans
I wonder what bills I still have to pay -> list_bills
could you see when my mobile bill is due -> list_bills
is there a bill I must pay this week -> list_bills
kindly settle my pending electricity bill -> pay_bill bill=electricity
I'd like the water bill paid from savings -> pay_bill bill=water; account=savings
pay for my broadband please -> pay_bill bill=internet
can you do my phone bill now -> pay_bill bill=phone
pay a bill for me / electricity -> pay_bill bill=electricity
pay the gas bill / oh sorry, the water bill -> pay_bill bill=water
tell me where I stand with my home loan -> get_loans
what's the monthly amount I pay on my loan -> get_loans
how many rupees do I owe on the car loan -> get_loans

# Reminders
remind me on wednesday at ten in the morning to visit the passport office -> add_reminder text=visit the passport office; day=2026-12-02; at=10:00
I need you to remind me tomorrow that my rent is due -> add_reminder text=my rent is due; day=2026-11-26
can I have a reminder to buy flowers on the thirtieth -> add_reminder text=buy flowers; day=2026-11-30
every day at seven in the evening remind me to exercise -> add_reminder text=exercise; day=2026-11-25; at=19:00; repeats=daily
tell me my upcoming reminders -> list_reminders
set a reminder for me / to pay the gardener / on sunday morning -> add_reminder text=pay the gardener; day=2026-11-29; at=09:00
remind me to water the plants / tomorrow at seven am -> add_reminder text=water the plants; day=2026-11-26; at=07:00

# Cards, people, pages, the rest
please block my card, I left it in an auto -> block_card
I don't have my debit card any more, it was stolen -> block_card card=debit
a charge on my credit card isn't mine -> block_card card=credit
could you put a human on please -> ask_for_person
I would rather speak with your manager -> ask_for_person
I'm going to file a complaint -> ask_for_person complaint=true
can you show the statement on my screen -> show_page view=statement
please open the reminders screen -> show_page view=reminders
move to the bills page -> show_page view=bills
what were you going to pay for me just now -> read_draft_again
I'd like to open a joint account with my wife -> says profile
how do I get a duplicate passbook -> says profile
what are your car loan rates -> says offers
please transfer one thousand from savings into current -> says own_transfer
what did you have for breakfast -> nothing
my neighbour plays loud music -> nothing
could you say it a little slower -> nothing
no, nothing else, thank you -> nothing
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation and where it should lead."""

    turns: Sequence[str]
    wanted: str
    arguments: Mapping[str, Value]


def cases(table: str) -> list[Case]:
    rows = [line.rsplit(" -> ", 1) for line in table.strip().splitlines() if line and line[0] != "#"]
    return [_case(turns, wanted) for turns, wanted in rows]


def _case(turns: str, wanted: str) -> Case:
    tool, _, rest = wanted.partition(" ")
    if tool not in TOOLS:
        return Case(turns.split(" / "), wanted, {})
    pairs = (argument.split("=", 1) for argument in rest.split("; ")) if rest else ()
    return Case(turns.split(" / "), tool, {name: _value(text) for name, text in pairs})


def _value(text: str) -> Value:
    if text == "true":
        return True
    return (float if "." in text else int)(text) if re.fullmatch(r"\d+(?:\.\d+)?", text) else text


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return asyncio.run(trained(AGENT.phrases))


@pytest.fixture
def bank(classifier: Classifier) -> Dialogue:
    return Dialogue(AGENT.phrases, classifier, NAMES, clock=lambda: NOW)


def talk(bank: Dialogue, turns: Sequence[str]) -> Act:
    """The act of the last turn; the bank reads drafts back, and other tools are done at once."""
    act = Act("")
    for turn in turns:
        if act.calls:
            bank.told(READ_BACK if act.calls[0].tool in DRAFTS else "Done.")
        act = bank.hear(turn, tools=[*TOOLS, END_CALL])
    return act


def led_to(bank: Dialogue, act: Act) -> tuple[str, Mapping[str, Value]]:
    """Where the act leads, as a case says it; a tool gets those of the arguments that it takes."""
    if len(act.calls) > 1:
        return " and ".join(call.tool for call in act.calls), {}
    if act.calls and act.calls[0].tool != END_CALL:
        (call,) = act.calls
        taken = TOOLS[call.tool].arguments.model_fields
        return call.tool, {name: value for name, value in call.arguments.items() if name in taken}
    return (f"asks {bank.memory.asking}" if bank.memory.asking else f"says {act.intent}"), {}


def stands_in_a_template(ear: Ear, turn: str) -> bool:
    said = "".join(f" {word}" for word in ear.tagged(words_of(turn)))
    return any(pattern.fullmatch(said) for pattern in _patterns())


@cache
def _patterns() -> Sequence[re.Pattern[str]]:
    lexeme = re.compile(r"\{[a-z_]+\}|[()\[\]|]|[^\s()\[\]{}|]+")
    return [
        re.compile("".join(_pattern(intent, part) for part in lexeme.findall(template)))
        for intent in (*AGENT.phrases.intents, *EVERYDAY.intents)
        for template in intent.phrases
    ]


def _pattern(intent: Intent, lexeme: str) -> str:
    """A part of a template as it looks when the values in it are tagged; dates and the like may be any few words."""
    if lexeme[0] != "{":
        words = "".join(f" {re.escape(word)}" for word in words_of(lexeme))
        return {"(": "(?:", ")": ")", "[": "(?:", "]": ")?", "|": "|"}.get(lexeme, words)
    entity = next(slot.entity for slot in intent.slots if slot.name == lexeme[1:-1])
    tagged = {"name", "text", "number", "money"} | {each.name for each in AGENT.phrases.entities if not each.telling}
    return f" #{'number' if entity == 'money' else entity}" if entity in tagged else r"(?: \S+){1,5}"


def test_callers_sentences_lead_to_the_right_tool(classifier: Classifier) -> None:
    wrong = [why for case in cases(WITH_THEM) if (why := mistake(case, classifier))]
    assert len(wrong) <= 0.05 * len(cases(WITH_THEM)), "\n".join(wrong)


def test_so_do_sentences_that_stand_in_no_template(classifier: Classifier) -> None:
    ear = Ear(AGENT.phrases, classifier.literals, NAMES)
    fresh = [case for case in cases(AFTER_THEM) if not stands_in_a_template(ear, case.turns[-1])]
    wrong = [why for case in fresh if (why := mistake(case, classifier))]
    assert len(fresh) >= 150
    assert len(wrong) <= 0.1 * len(fresh), "\n".join(wrong)


def mistake(case: Case, classifier: Classifier) -> str:
    """What is wrong about where a case led, if anything is."""
    bank = Dialogue(AGENT.phrases, classifier, NAMES, clock=lambda: NOW)
    got = led_to(bank, talk(bank, case.turns))
    right = got == (case.wanted, case.arguments) or (case.wanted == "nothing" and got[0].startswith("says "))
    return "" if right else f"{' / '.join(case.turns)}: {got}"


def test_every_call_fits_its_tool_and_moves_only_what_was_said(classifier: Classifier) -> None:
    checked = 0
    for case in cases(WITH_THEM + AFTER_THEM):
        bank = Dialogue(AGENT.phrases, classifier, NAMES, clock=lambda: NOW)
        tool, arguments = led_to(bank, talk(bank, case.turns))
        if tool not in TOOLS:
            continue
        if "count" in arguments:
            arguments = {**arguments, "count": min(int(arguments["count"]), 20)}  # as the service does
        TOOLS[tool].arguments.model_validate(arguments)
        if "amount" in arguments:
            assert round(float(arguments["amount"]) * 100) in amounts_meant(case.turns), case.turns
            checked += 1
    assert checked > 140


@pytest.mark.parametrize(
    ("turn", "error", "question", "answer", "arguments"),
    [
        (
            "send five hundred to bob",
            "no_payee",
            "I can't find bob among your payees.",
            "Ravi Kumar",
            {"payee": "Ravi Kumar", "amount": 500},
        ),
        (
            "send five hundred to john",
            "which_payee",
            "Which one do you mean: John or John Doe?",
            "the second one, John Doe",
            {"payee": "John Doe", "amount": 500},
        ),
        (
            "send five hundred to ravi",
            "which_account",
            "Which account: savings or current?",
            "from savings",
            {"payee": "Ravi", "amount": 500, "account": "savings"},
        ),
        (
            "send five hundred to ravi",
            "insufficient_funds",
            "There is not enough money in the savings account.",
            "then from current",
            {"payee": "Ravi", "amount": 500, "account": "current"},
        ),
        (
            "send five hundred to ravi",
            "amount_not_heard",
            "How much should it be? Please say the amount once more.",
            "six hundred",
            {"payee": "Ravi", "amount": 600},
        ),
        ("pay the phone bill", "which_bill", "Which bill: mobile or landline?", "mobile", {"bill": "mobile"}),
        ("pay the phone bill", "no_bill", "You have no such bill due.", "Bluebell", {"bill": "bluebell"}),
        (
            "remind me today to call the bank",
            "bad_time",
            "At what time today should I remind you?",
            "five",
            {"text": "call the bank", "day": "2026-11-25", "at": "17:00"},
        ),
    ],
)
def test_a_short_answer_completes_what_a_tool_refused(
    bank: Dialogue, turn: str, error: str, question: str, answer: str, arguments: Mapping[str, Value]
) -> None:
    tool = talk(bank, [turn]).calls[0].tool
    bank.told(question, error)
    (call,) = bank.hear(answer, tools=TOOLS).calls
    assert (call.tool, call.arguments) == (tool, arguments)


def test_a_refusal_leaves_room_for_another_request(bank: Dialogue) -> None:
    talk(bank, ["send five hundred to bob"])
    bank.told("I can't find bob among your payees.", "no_payee")
    assert [call.tool for call in bank.hear("who are my payees", tools=TOOLS).calls] == ["list_payees"]


def test_an_act_is_not_repeated_because_something_else_is_asked(bank: Dialogue) -> None:
    talk(bank, ["send five hundred to Ravi"])
    bank.told("Done. I've sent five hundred rupees to Ravi.")
    assert all(call.tool not in DRAFTS for call in bank.hear("what about my savings account", tools=TOOLS).calls)


def test_an_act_is_taken_up_again_after_a_question(bank: Dialogue) -> None:
    act = talk(bank, ["send money to Ravi", "what's in my savings", "okay send him five hundred"])
    assert [(call.tool, call.arguments) for call in act.calls] == [("send_money", {"payee": "Ravi", "amount": 500})]


def test_a_number_that_is_not_clear_is_asked_for_and_replaces_the_old_one(bank: Dialogue) -> None:
    act = talk(bank, ["send five hundred to Ravi", "no send him six seven hundred"])
    assert (act.calls, bank.memory.asking) == ((), "amount")
    (call,) = bank.hear("six hundred", tools=TOOLS).calls
    assert call.arguments == {"payee": "Ravi", "amount": 600}


def test_of_several_the_first_is_done(bank: Dialogue) -> None:
    (call,) = talk(bank, ["send five hundred to Ravi and three hundred to Jane"]).calls
    assert call.arguments == {"payee": "Ravi", "amount": 500}


def test_two_accounts_in_one_sentence_are_told_apart(bank: Dialogue) -> None:
    act = talk(bank, ["move two thousand to my savings from my current account"])
    assert act.slots == {"amount": 2000, "source": "current", "target": "savings"}
    assert act.calls == ()


def test_what_is_done_elsewhere_is_said_and_shown(bank: Dialogue) -> None:
    act = talk(bank, ["add a new payee"])
    assert "payees page" in act.say
    assert [(call.tool, call.arguments) for call in act.calls] == [("show_page", {"view": "payees"})]


@pytest.mark.parametrize(
    "text", ["open a savings account", "what's the IFSC code", "I forgot my PIN", "send 500 monthly"]
)
def test_what_it_cannot_do_is_not_promised(bank: Dialogue, text: str) -> None:
    act = talk(bank, [text])
    assert act.calls == ()
    assert "I can't" in act.say
    assert act.intent in ("profile", "standing_order")


def test_every_page_that_can_be_shown_can_be_asked_for() -> None:
    assert set(VIEW.values) == AGENT.views


def test_a_whole_sentence_names_its_own_payee(bank: Dialogue) -> None:
    for first in ("send money to ravi", "send to ravi"):
        assert talk(bank, [first]).say == "How many rupees should I send?"
        (call,) = talk(bank, ["send five hundred to batman"]).calls
        assert call.arguments == {"payee": "batman", "amount": 500}
