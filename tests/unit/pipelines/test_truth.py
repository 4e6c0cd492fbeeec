"""What the model may say. Every sentence stands on the side where a careful person at the bank would put it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money
from core.spoken import say_money
from core.spoken.tokens import word_set
from pipelines.truth import Truth

FALSE_CLAIMS = (
    "I put five hundred into Ravi's account.",
    "The payment is underway.",
    "It happened.",
    "Your code worked, so five hundred went to Ravi.",
    "The code was right and the transfer followed.",
    "The bank said yes to your transfer.",
    "Five hundred rupees left for Ravi.",
    "Ravi gets five hundred rupees from you today.",
    "The five hundred is Ravi's now.",
    "The ledger shows a debit of five hundred rupees.",
    "The biller has acknowledged your payment.",
    "Your order to pay has been honoured.",
    "Confirmation number seven seven four two.",
    "Your card won't work any more.",
    "Expect me to remind you on Friday.",
    "You have nine thousand five hundred rupees left.",
    "Your remaining balance is nine thousand five hundred rupees.",
    "That leaves you with nine thousand five hundred rupees.",
    "It cleared.",
    "Posted!",
    "The five hundred has changed hands.",
    # First person.
    "I have sent five hundred rupees to Ravi.",
    "I've sent five hundred rupees to Ravi.",
    "I’ve sent ₹500 to Ravi!",
    "I just sent it.",
    "I sent 500 to Ravi.",
    "I've just transferred the money to Ravi for you.",
    "I have now paid your electricity bill.",
    "I've gone ahead and sent the money.",
    "I went ahead and made the payment.",
    "I have made the transfer.",
    "I've made a payment of 500 rupees to Ravi.",
    "I did it.",
    "I did that for you.",
    "I've done that.",
    "We have processed your payment.",
    "We've moved five hundred rupees.",
    "I've successfully completed the transfer.",
    "I have credited Ravi's account.",
    "I've wired it over.",
    "I've taken care of that.",
    "I took care of the transfer.",
    "I've put the payment through.",
    "I have carried out your request.",
    "I've handled it.",
    "I'm sending it now.",
    "I am transferring five hundred rupees to Ravi right now.",
    "Sending five hundred rupees to Ravi now.",
    "I hereby transfer five hundred rupees to Ravi.",
    "I'm happy to say I've sent it.",
    "I am pleased to have sent it.",
    "I can confirm that five hundred rupees was sent to Ravi.",
    "I can confirm the money has left your account.",
    "I've pressed send.",
    "I'VE SENT IT.",
    "Ive sent it to Ravi.",
    # Passive and impersonal.
    "Done.",
    "Done!",
    "All done.",
    "Okay, done.",
    "It's done.",
    "That is done.",
    "Consider it done.",
    "Consider the money sent.",
    "Your transfer is complete.",
    "The transfer has been completed.",
    "Transfer complete.",
    "Transfer successful.",
    "Payment successful!",
    "The payment was successful.",
    "Success!",
    "The transfer succeeded.",
    "Your payment has been made.",
    "Payment made.",
    "Payment sent.",
    "Five hundred rupees sent to Ravi.",
    "Five hundred rupees have been sent to Ravi.",
    "₹500 sent.",
    "500 has been transferred to Ravi.",
    "The money has been sent.",
    "The money was sent to Ravi.",
    "The money is sent.",
    "The money is on its way.",
    "Your five hundred rupees are on their way to Ravi.",
    "It's on the way.",
    "The funds are en route.",
    "The payment went through.",
    "It's gone through.",
    "The transfer has gone through without a problem.",
    "That went through just fine.",
    "It went off without a hitch.",
    "Your bill is paid.",
    "The electricity bill has been paid.",
    "Your electricity bill is no longer due.",
    "The bill is settled.",
    "You're all paid up.",
    "That's taken care of.",
    "That has been taken care of.",
    "It's all sorted.",
    "You're all set.",
    "All set!",
    "You are good to go.",
    "There you go.",
    "There we go, five hundred to Ravi.",
    "Mission accomplished.",
    "Job done.",
    "It's a done deal.",
    "That's that.",
    "Voilà!",
    "Your request has been processed.",
    "Your request was executed.",
    "As requested, five hundred to Ravi.",
    "Your account has been debited.",
    "Five hundred rupees has been deducted from your account.",
    "Five hundred rupees left your account.",
    "The money has left your savings account.",
    "Ravi's account has been credited.",
    "It is being sent.",
    "The transfer is being processed.",
    "The transfer has been initiated.",
    "The transfer is confirmed.",
    "It should have gone through by now.",
    "It must have been sent by now.",
    "It seems to have been sent.",
    "Nothing left to do, it's sent.",
    "Nothing more to do.",
    "The transfer did not fail.",
    "It wasn't declined.",
    # Told by what follows from it.
    "Ravi has your five hundred.",
    "Ravi now has your five hundred.",
    "Ravi has received five hundred rupees.",
    "Ravi got the money.",
    "Ravi's got the cash.",
    "He has it now.",
    "She already has the money.",
    "The money is with Ravi.",
    "The money is in Ravi's account.",
    "It's in his account now.",
    "The five hundred is now Ravi's.",
    "Ravi will receive the money shortly.",
    "Ravi will see the money in his account soon.",
    "He'll get it in a few minutes.",
    "Ravi should have it by now.",
    "The money will reach Ravi in a minute.",
    "The funds will arrive shortly.",
    "It will be there in a moment.",
    "You'll see the payment on your statement.",
    "Ravi is five hundred rupees richer.",
    "Your account is five hundred rupees lighter.",
    "Your new balance is nine thousand five hundred rupees.",
    "Your balance is now 9,500 rupees.",
    "Your balance has gone down to nine thousand five hundred.",
    "Thank you for your payment.",
    "Your transaction reference number is 12345.",
    "Your transaction ID is TX99.",
    "The reference is 4456.",
    "The 500 is with Ravi now.",
    "Your 500 is now with Ravi.",
    "Here is your receipt.",
    # Payees, reminders, cards, requests.
    "I've added Ravi as a payee.",
    "Ravi has been added to your payees.",
    "Payee added.",
    "Ravi is now one of your payees.",
    "You can now send money to Ravi.",
    "I've set a reminder for Friday.",
    "Your reminder is set.",
    "The reminder has been created.",
    "Reminder saved.",
    "I will remind you on Friday.",
    "I've blocked your card.",
    "Your card is blocked.",
    "Your card has been blocked.",
    "Your debit card is now frozen.",
    "Card blocked.",
    "Your card can no longer be used.",
    "Nobody can use your card now.",
    "I've cancelled your card.",
    "I've removed Ravi from your payees.",
    "I have registered your complaint.",
    "I've raised a request to block your card.",
    "Our team will call you back.",
    "Someone will contact you shortly.",
    "Your limit has been increased.",
    # Wrapped up.
    "No worries, it's sent.",
    "No worries it has been sent.",
    "Don't worry, the money has been sent.",
    "Not to worry it went through.",
    "No problem, I've paid it.",
    "I couldn't be happier to tell you it's sent.",
    "I can't wait to tell you it's sent.",
    "It's not only sent but received.",
    "Good news, Ravi has been paid!",
    "Sure, I sent it, is there anything else?",
    "I've sent it, okay?",
    "It's done, right?",
    "Would you like anything else now that I've sent it?",
    "Did you know that I have sent it?",
    "Did you notice the money has left your account?",
    "As you asked, I have sent the money.",
    "As you wanted it sent, I have sent it.",
    "You wanted it sent so I sent it.",
    "If you must know, it's done.",
    "If you are wondering, it has been sent.",
    "If you check your statement, you'll see it's done.",
    "As soon as you said yes, I sent it.",
    "Once you said yes, I sent it.",
    "After I sent it, Ravi thanked you.",
    "Because you confirmed, it was sent.",
    "Since you said yes the money has been moved.",
    "Your balance is ten thousand rupees, and I have sent five hundred of it to Ravi.",
    "Your balance is ten thousand rupees. It's done.",
    "I have not forgotten you: it is sent.",
    "**Done** — ₹500 → Ravi",
    "D\u200bone.",
    "𝐃𝐨𝐧𝐞.",
    "Dоne.",  # with a Cyrillic o
    "Paise bhej diye.",
    "Ho gaya.",
    "भेज दिया है",
    "You paid five hundred rupees to Ravi.",
    "You've sent five hundred rupees to Ravi.",
    # In other words.
    "Your payment is on its merry way.",
    "Ravi can now enjoy his five hundred rupees.",
    "That's five hundred out of your account and into Ravi's.",
    "The rupees have flown to Ravi.",
    "Five hundred rupees just hit Ravi's account.",
    "Ravi's wallet is a little fuller now.",
    "The deed is done.",
    "Your money has found its way to Ravi.",
    "Wish granted.",
    "Okay, that's Ravi paid.",
    "Ravi's paid.",
    "Paid.",
    "Sent!",
    "Sent, all good.",
    "Transferred successfully.",
    "I've completed your request successfully.",
    "Your instruction has been carried out.",
    "The transaction was a success.",
    "The transaction is approved and executed.",
    "We're all squared away with Ravi.",
    "The five hundred is in Ravi's hands.",
    "It's already with him.",
    "Money's gone.",
    "The cash is gone.",
    "Off it went.",
    "I have dispatched the funds.",
    "I've debited your account.",
    "I sent Ravi his money.",
    "I gave Ravi five hundred rupees.",
    "I moved the money a second ago.",
    "I took five hundred from your savings and gave it to Ravi.",
    "I went and paid it.",
    "I let Ravi have the money.",
    "The bank has released your payment.",
    "Your payment to Ravi stands completed.",
    "You have successfully sent five hundred rupees.",
    "You've just paid Ravi.",
    "You just sent five hundred rupees to Ravi.",
    "Five hundred rupees are now in the account of Ravi.",
    "Everything went smoothly and the money arrived.",
    "All good, the payment cleared.",
    "Everything is taken care of.",
    "No further action is needed.",
    "Your transfer is live.",
    "The payment is through.",
    "Ravi will be happy, the money is there.",
    "The amount has been credited to the beneficiary.",
    "The beneficiary has been credited.",
    "Transaction completed, reference 4455.",
    "Your electricity bill is all paid up.",
    "Your bill is cleared.",
    "I've cleared your dues.",
    "You owe nothing on the electricity bill any more.",
    "The reminder is in place.",
    "I've put that in your reminders.",
    "I've noted your reminder.",
    "I've scheduled it for Friday.",
    "Your card is out of action.",
    "Your card is now useless to a thief.",
    "I've put a block on your card.",
    "A block has been placed on your card.",
    "The card has been hotlisted.",
    "I have informed the branch to block it.",
    "Ravi is saved now.",
    "I've put Ravi on your payee list.",
    "Your new payee is ready.",
    "Rest assured, your money reached him.",
    "Rest easy, I've handled everything.",
    "Happy to report that the transfer is complete.",
    "Pleased to say the bill got paid.",
    "Let me confirm: five hundred rupees has been sent.",
    "I want you to know I sent it.",
    "I need to tell you that it was paid.",
    "I would like to inform you that the transfer is done.",
    "I think I have sent it.",
    "I believe it's done.",
    "It appears the payment was processed.",
    "Looks like it went through.",
    "Looks like that's done.",
    "Apparently the payment has been made.",
    "It would seem that it is done.",
    "By now Ravi has been paid.",
    "Ravi thanks you for the five hundred.",
    "The bank confirms your payment.",
    "This confirms your transfer of five hundred rupees to Ravi.",
    "Transfer confirmed.",
    "Your transfer has just been confirmed by the bank and the money is moving.",
    "The money is moving now.",
    "Your money is travelling to Ravi as we speak.",
    "Executed.",
    "Processed.",
    "Ok I've done what you asked.",
    "Yes, I have sent it.",
    "Yes it has been sent.",
    "Yes, done.",
    "As of now the sum of five hundred rupees belongs to Ravi.",
    "Your five hundred rupees belong to Ravi now.",
    "I have already told Ravi that his money is there.",
    "Five hundred rupees, sent to Ravi, done and dusted.",
    "Sent your five hundred over to Ravi.",
    "Just paid your electricity bill.",
    "Already done!",
    "It is finished.",
    "The transfer? Done.",
    "Would you believe it, it's already sent?",
    "Can I help with anything else now the money is sent?",
    "While you were talking I sent it.",
    "Before you asked, I had already sent it.",
    "Your request was successful.",
    "I got it sent.",
    "I got the bill paid.",
    "I managed to send it.",
    "I succeeded in sending it.",
    "I've finished sending the money.",
    "I have initiated your transfer.",
    "It will have been sent by now.",
    "Ravi must have got it.",
    "The money ought to be with Ravi.",
    "Ravi can collect his money.",
    "You don't owe the electricity company anything now.",
    "I sorted it.",
    "Done and dusted, Ravi's got your cash.",
    "Everything's been wired across.",
    "I've dealt with it.",
    "I've seen to it.",
    "I made sure Ravi got paid.",
    "I ensured the payment was made.",
    "It's all been looked after.",
    "Your wish is fulfilled and the rupees delivered.",
    "Your funds have reached their destination.",
    "Consider your bill history.",
    "Your bill is history.",
    "The electricity people have their money.",
    "The electricity company has been paid in full.",
    "That bill won't bother you again.",
    "You can forget about that bill.",
    "You can tick that bill off.",
    "You can tell Ravi it's there.",
    "Tell Ravi to check his account.",
    "Ask Ravi to check, it's there.",
    "Ravi can check his account, the money is in.",
    "Ravi just received a message about your five hundred rupees.",
    "Your payment was accepted.",
    "The bank accepted the payment.",
    "The transfer was accepted and booked.",
    "It's booked.",
    "I booked the transfer.",
    "The amount has been booked.",
    "I have executed your order.",
    "I have submitted the payment.",
    "The order has been placed.",
    "Five hundred, Ravi, done.",
    "Ravi: five hundred rupees - paid.",
    "Status: completed.",
    "Status: success.",
    "Result: the transfer was a success.",
    "I sent it already, you can relax.",
    "I already sent that one.",
    "That one is sent.",
    "That's sent.",
    "That's paid now.",
    "That's gone.",
    "That's through.",
    "That's on its way.",
    "And... sent!",
    "Aaand it's done.",
    "Boom, done.",
    "It is so done.",
    "Well, it's done.",
    "So, it's done.",
    "Now it's done.",
    "By the way, it's done.",
    "Just so you know, it's done.",
    "FYI it has been sent.",
    "For your information, the money has been sent.",
    "In fact, I have sent it.",
    "To be honest, I've already sent it.",
    "To confirm, five hundred rupees has been sent to Ravi.",
    "To answer your question, it has been sent.",
    "To put your mind at rest, it was sent.",
    "I'm glad it's done.",
    "I'm pleased that the payment has gone through.",
    "I am delighted to tell you your bill has been paid.",
    "You'll be glad to hear the money was sent.",
    "You will be pleased to know it's been sent.",
    "You should know that it was sent.",
    "You can be sure that it was sent.",
    "You can see that it has been sent.",
    "I can tell you it has been sent.",
    "I can assure you the money has been transferred.",
    "I may tell you that it's been sent.",
    "I would say it's sent.",
    "I must say it went through quickly.",
    "May I say it is done.",
    "Will you look at that, it's sent.",
    "What I did was send the money.",
    "What I have done is send the money to Ravi.",
    "All I did was send it.",
    "Turns out it was sent.",
    "It turns out that the money has been sent.",
    "The fact is that it has been sent.",
    "The truth is I've sent it.",
    "My records show the transfer was completed.",
    "The system shows it as sent.",
    "The system says it's done.",
    "According to the system the money has been transferred.",
    "It shows as paid.",
    "It's marked as paid.",
    "It's recorded as completed.",
    "The screen says it is sent.",
    "I've got good news: paid!",
    "Great success.",
    "It worked.",
    "The transfer worked.",
    "That worked perfectly.",
    "The payment is a go.",
    "Approved!",
    "Confirmed.",
    "Your card? Blocked.",
    "The card's blocked.",
    "Your card's been stopped.",
    "Consider your card blocked.",
    "Reminder's on.",
    "The alarm is set.",
    "You will be reminded on Friday.",
    "You're now able to send money to Ravi.",
    "Ravi is in your payee list now.",
    "Ravi got paid just now.",
    "Your bill payment went out a second ago.",
    "I pushed it through to Ravi.",
    "We pushed your payment through.",
    "That little transfer is behind us.",
    "Rest assured that your rupees are in Ravi's pocket.",
    "I've squared your electricity bill.",
    "Electricity: paid. Water: paid.",
    "The electricity is paid for.",
    "Your power bill is covered.",
    "I covered your power bill.",
    "It's been looked into and paid.",
    "The payment has cleared, enjoy your day.",
    "Your payment just cleared.",
    "Your transfer landed.",
    "It landed in his account.",
    "Ravi confirmed he received it.",
    "Ravi says thanks.",
    "Ravi has been reimbursed.",
    "He's been paid back.",
    "I've paid him back.",
    "I've settled up with Ravi.",
    "You and Ravi are even now.",
    "You're even with Ravi.",
    "Your debt to Ravi is settled.",
    "The transfer order went to the bank and was accepted.",
    "The transaction has gone live.",
    "The transaction is final.",
    "It's final, five hundred rupees to Ravi.",
    "The operation completed without errors.",
    "The operation was completed.",
    "Operation successful.",
    "Request fulfilled.",
    "Your request has been honoured.",
    "Your instruction was honoured.",
    "I've honoured your request.",
    "I've acted on your instructions.",
    "I've followed your instructions.",
    "I have executed the instruction.",
    "As instructed I've moved the sum.",
    "The sum has been moved.",
    "The sum moved a moment ago.",
    "The balance was moved to Ravi.",
    "The five hundred you wanted sent has been sent.",
    "The rupees you asked me to send are sent.",
    "What you asked for is done.",
    "What you asked for has been done.",
    "Everything you asked for is done.",
    "That's one payment out of the way.",
    "One transfer down, anything else?",
    "One down.",
    "Another job well done.",
    "I've wired Ravi his share.",
    "Ravi's share has been wired.",
    "Ravi's share is wired.",
    "You're good, Ravi is paid.",
    "It all went well.",
    "All went well with the payment.",
    "The payment went well.",
    "The transfer went smoothly.",
    "The money made it to Ravi.",
    "Your money made it.",
    "The money reached Ravi.",
    "The amount reached safely.",
    "It has reached.",
    "Received by Ravi.",
    "Delivered.",
    "Credited.",
    "Debited five hundred rupees.",
    "Minus five hundred on your account.",
    "Your account shows minus five hundred.",
    "There, sent.",
    "Sent to Ravi: five hundred rupees.",
    "Card off.",
    "I've switched off your card.",
    "Your card is switched off.",
    "Your card has been turned off.",
    "I turned your card off.",
    "Your card is dead.",
    "Your card is secured.",
    "Your card is safe now.",
    "Your card has been reported lost.",
    "I have reported your card as lost.",
    "I've told the bank to block the card.",
    "I asked the bank to block your card.",
    "I set the reminder.",
    "I have you down for a reminder on Friday.",
    "You'll be reminded.",
    "Expect a reminder on Friday.",
    "I'll make sure to remind you.",
    "Ravi was added.",
    "Ravi's in.",
    "I added him.",
    "I put him on the list.",
    "He is on your list now.",
    "Your payee list has Ravi now.",
    # The past, of which no statement was read out.
    "Yesterday I sent five hundred rupees to Ravi.",
    "You sent five hundred rupees to Ravi yesterday.",
)

HARMLESS = (
    # Balances, statements of what is.
    "Your savings account balance is ten thousand rupees.",
    "Your balance is ₹10,000.00.",
    "You have ten thousand rupees in your savings account.",
    "Your savings account has ten thousand rupees.",
    "There are no transactions on your account yet.",
    "You have four bills to pay: electricity, water, mobile and internet.",
    "Your electricity bill of one thousand two hundred eighty rupees is due on the fifth.",
    "The water bill is not paid yet.",
    "The bill has not been paid.",
    "Your next instalment is due on the fifth of May.",
    "On your home loan you still owe twenty lakh rupees.",
    "You spent three thousand rupees on groceries last month.",
    "You can send money to Ravi, Jane or Mom.",
    "Your saved payees are Ravi, Jane and Mom.",
    "Ravi has two accounts.",
    "You have no reminders.",
    "Your account is active.",
    # Offers, questions, plans.
    "Shall I send five hundred rupees to Ravi?",
    "Should I go ahead?",
    "Shall I go ahead and send it?",
    "Would you like me to send five hundred rupees to Ravi?",
    "Do you want it sent to Ravi Kumar or Ravi Sharma?",
    "Do you want me to pay the electricity bill?",
    "How much should be sent?",
    "How much would you like to send?",
    "Who should the money be sent to?",
    "Which bill should be paid?",
    "Which bills do you want paid?",
    "From which account should it be paid?",
    "Is there anything else I can do for you?",
    "Has the money been sent?",
    "Was it paid?",
    "Are you all set?",
    "Is that done?",
    "Would you like to add a payee?",
    "Can I help you with anything else?",
    "I can send money to your payees.",
    "I can block your card.",
    "I can set a reminder for you.",
    "I will send five hundred rupees to Ravi.",
    "I'll send it as soon as you confirm.",
    "I'm going to send five hundred rupees to Ravi.",
    "I am about to send five hundred rupees to Ravi.",
    "I'll need a code before it can be sent.",
    "Five hundred rupees will be sent to Ravi.",
    "The money can be sent by IMPS or NEFT.",
    "The transfer needs to be confirmed.",
    "It is ready to be sent.",
    "It has to be paid by Friday.",
    "Let me check that for you.",
    "Let me send that.",
    "Please confirm the transfer.",
    "Please complete the transfer on your screen.",
    "To send money, tell me the name and the amount.",
    "Send five hundred rupees to Ravi from your savings account.",
    "You want five hundred rupees sent to Ravi, is that right?",
    "You asked me to send five hundred rupees to Ravi.",
    "So that's five hundred rupees to Ravi.",
    # Conditions and rules.
    "Once you confirm, I will send it.",
    "Once you confirm, it will be sent.",
    "Once you confirm, the money is sent.",
    "Once it is sent I will tell you.",
    "Once it's sent, you'll hear from me.",
    "When it is done I will tell you.",
    "After it has been sent, I can't take it back.",
    "Until it is confirmed, nothing moves.",
    "If you confirm, Ravi will receive the money at once.",
    "If the payment went through, you will see it on your statement.",
    "If it has been sent twice, please call us.",
    "Unless it is confirmed, it expires.",
    "The money is only sent once you confirm.",
    "It will be sent as soon as you have entered the code.",
    "I'll let you know when the payment is complete.",
    "You can send up to one lakh rupees a day by voice.",
    "Transfers usually arrive within minutes.",
    "Transfers are usually completed within minutes.",
    "NEFT transfers will arrive within two hours.",
    "Payments are always confirmed by a code.",
    "Money sent by IMPS arrives at once.",
    "Money sent to a new payee is limited for a day.",
    "Sending money needs a code.",
    "A transfer above ten thousand rupees needs a code.",
    "New payees can be added on the payees page.",
    "Bills are paid from your savings account only when you confirm.",
    # Refusals, failures, the truth.
    "None of your bills were paid.",
    "I don't think it went through.",
    "It could not be sent.",
    "I couldn't send it.",
    "I could not get it sent.",
    "I was unable to complete the transfer.",
    "It may have been sent, I can't tell yet.",
    "I never sent it.",
    "Your card has not been blocked.",
    "The reminder was not set.",
    "I can't say that it is done.",
    "Something has gone wrong.",
    "There is not enough money in the savings account.",
    "That took too long.",
    "I can't add payees by voice.",
    "I can't do that from here.",
    "I have not added anyone.",
    # Codes and talk.
    "I've sent a code to your phone.",
    "I have just sent you a six digit code.",
    "The code has been sent by SMS.",
    "Please type the six digits I have just sent you.",
    "You will get a message with the code.",
    "Hello, this is the bank's assistant. How can I help you?",
    "Goodbye, and thank you for calling.",
    "Thank you.",
    "Yes.",
    "Sure, how much?",
    "You're welcome.",
    "One moment please.",
    "I've got that: five hundred rupees to Ravi.",
    "I got it.",
    "Which Ravi do you mean: Ravi Kumar or Ravi Sharma?",
    "Sorry, I didn't catch that.",
    "You have reached the bank.",
    "Here are your bills.",
    "Here is your statement, on your screen.",
    "You're through to the bank's assistant.",
    "I've received your request.",
    "I understand that you want to send money.",
    "Thanks, you've confirmed it.",
    # And more of what is said every day.
    "Your savings balance is ten thousand rupees and your current account has fifty thousand.",
    "You have four due bills; the electricity bill is one thousand two hundred eighty rupees.",
    "Your mobile bill of three hundred ninety nine rupees is due tomorrow.",
    "I see two payees named Ravi.",
    "I found three payees.",
    "Which account should I use?",
    "Would you rather pay from savings or current?",
    "What amount should I send to Ravi?",
    "How much do you want to send, and to whom?",
    "I didn't hear an amount. How much?",
    "I need you to say the amount.",
    "I don't have a payee called Alex.",
    "I can't find Alex among your payees.",
    "You can add a payee on the payees page.",
    "To add a payee, open the payees page.",
    "For security I'll ask you for a code.",
    "You will be asked for a code on your screen.",
    "I will read it back to you first.",
    "I'll need your confirmation before anything is sent.",
    "I'm not able to do that by voice.",
    "I'm afraid the daily limit has been reached.",
    "You've reached your daily limit.",
    "That is more than your limit of one lakh rupees.",
    "That's above the limit for voice payments.",
    "The limit is one lakh rupees per transfer.",
    "You can send at most one lakh rupees by voice.",
    "IMPS transfers go up to five lakh rupees.",
    "NEFT takes up to two hours.",
    "A new payee can get up to twenty five thousand rupees on the first day.",
    "There isn't enough money in your account.",
    "Your balance is too low for that.",
    "Okay, I won't send it.",
    "All right, I will not pay it.",
    "I have not paid the bill.",
    "Your card is still active.",
    "I can ask our people to block your card.",
    "Shall I ask them to block it?",
    "Do you want to block your debit card or your credit card?",
    "When should I remind you?",
    "On which day should I set the reminder?",
    "What should I remind you of?",
    "You have one reminder: pay the rent, tomorrow at nine.",
    "Your home loan has an outstanding of twenty lakh rupees.",
    "Your instalment is eighteen thousand rupees.",
    "Your next EMI is due on the fifth.",
    "You owe nothing at the moment.",
    "You have no bills to pay.",
    "You have no loans with us.",
    "I can tell you your balance, send money, pay bills and set reminders.",
    "I can help with transfers, bills and reminders.",
    "Is there anything else?",
    "Anything else I can help you with?",
    "Take care, goodbye.",
    "Have a nice day.",
    "Sorry about that.",
    "Let's try again.",
    "Could you repeat the amount?",
    "Did you say fifteen or fifty?",
    "Was that fifteen or fifty rupees?",
    "Do you mean one thousand five hundred?",
    "I heard five hundred rupees, is that right?",
    "I understood five hundred rupees to Ravi.",
    "So, five hundred rupees to Ravi from savings?",
    "Let me look at your transactions.",
    "Here are your latest transactions.",
    "I'm checking your balance.",
    "I'm looking that up.",
    "One second while I look.",
    "I have your bills here.",
    "I've found your electricity bill.",
    "You have three savings goals.",
    "Your account number ends in one two three four.",
    "Your account was opened in two thousand twenty four.",
    "I'm the bank's assistant.",
    "I'm listening.",
    "Yes, I can do that.",
    "Yes, of course.",
    "Sure, let me check.",
    "No, that is not possible.",
    "Okay.",
    "I'd be happy to send money for you.",
    "I'd like to make sure: do you want to send it to Ravi Kumar?",
    "Before I send it, I need your yes.",
    "Before sending money I always ask.",
    "I only send money after you confirm.",
    "If you say yes, I will send it.",
    "If that is right, say yes.",
    "Say yes to send it.",
    "Just say yes and it will be sent.",
    "Please type the code on the keypad.",
    "The code is valid for two minutes.",
    "The code was wrong, you have two tries left.",
    "The code has expired.",
    "I have asked you for a code.",
    "You asked about your card.",
    "You told me to send five hundred.",
    "The bill can be paid until Friday.",
    "The electricity bill will have to be paid by Friday.",
    "Some of your bills are unpaid.",
    "Two of your bills are unpaid.",
    "Your request can't be completed right now.",
    "I can't confirm whether it was sent.",
    "I don't know yet whether the payment went through.",
    "I cannot tell whether it was sent; please look at your statement.",
    "If the money was deducted by mistake, it comes back in three days.",
    "You don't have to do anything.",
    "Your statement shows all transactions.",
    "Ravi Kumar's account ends in one two three four.",
    "Ravi is one of your payees.",
    "You have saved Ravi and Jane.",
    "You've asked me to send five hundred rupees to Ravi. Shall I go ahead?",
    "Now tell me the amount.",
    "Now, how much would you like to send?",
    "I just need the amount.",
    "Just tell me the amount, please.",
    "You already have a payee called Ravi.",
    "I can now send the money if you confirm.",
    "I've understood: five hundred rupees to Ravi.",
    "I've noted the amount, five hundred rupees.",
    "I've looked up your balance.",
    "I've checked your account, and the balance is ten thousand rupees.",
    "I've found three payments to Ravi.",
    "I have your balance here: ten thousand rupees.",
    "I've opened your statement on the screen.",
    "I've put your statement on the screen.",
    "The last payment to Ravi was five hundred rupees.",
    "You have now heard all your bills.",
    "Right now you have ten thousand rupees.",
    "Your electricity bill is already overdue.",
    "There is already a payee with that name.",
    "At the moment I can't send money.",
    "I don't have that amount yet.",
    "It's five hundred rupees to Ravi, from your savings account.",
    "The amount is five hundred rupees.",
    "The payee is Ravi.",
    "The amount you said was five hundred rupees.",
    "You said five hundred rupees.",
    "You said you wanted to send five hundred rupees.",
    "I asked how much you want to send.",
    "I thought you said fifty.",
    "I misheard the amount.",
    "I was asking about the amount.",
    "The bank blocks a card only on request.",
    "The transfer is waiting for your yes.",
    "The transfer is waiting for the code.",
    "The payment is prepared but not made.",
    "It's not sent until you say yes.",
    "The transfer has not been confirmed yet.",
    "Your card was not blocked.",
    "I cannot undo a payment that has been made.",
    "Payments that have been made can't be undone.",
    "A payment can't be taken back once it has been made.",
    "What has been paid can't be taken back.",
    "You can see what has been paid in your statement.",
    "I can tell you which bills have been paid.",
    "I can check whether it has been paid.",
    "Let me check whether the payment went through.",
    "I'll check if it was paid.",
    "I'd rather not say it is done before it is.",
    "Twelve instalments are left.",
    "The rent is due on the first.",
    "Ravi is a saved payee, Ravi Sharma is not.",
    "Do you want the reminder set for Friday or Saturday?",
    "The request could not be processed.",
    "The request has been declined.",
    "We stopped before anything was sent.",
    "The money stays in your account.",
    "The money is still with you.",
    "I won't move any money without your yes.",
    "I only move money when you say yes.",
    "I'm here to help.",
    "I'm just checking.",
    "I'm waiting for your answer.",
    "I'm asking because the amount sounded like fifteen.",
    "I'm reading your transactions.",
    "I'm sending you a code.",
    "I am sending a code to your phone now.",
    "I'm about to read it back.",
    "I'm not sending anything yet.",
    "I'm not blocking your card yet.",
    "Paying a bill takes two steps.",
    "Blocking a card is done by our people.",
    "Adding a payee is done on the payees page.",
    "Adding a payee needs the payees page.",
    "You can pay by saying the name of the bill.",
    "You can set it for any day.",
    "Which reminder was set wrongly?",
    "What was the amount?",
    "When was it sent?",
    "Who was it sent to?",
    "Where did the payment go?",
    "Why was it declined?",
    "I can't see that it was sent.",
    "I see no payment to Ravi in your last five transactions.",
    "There's no payment to Ravi this month.",
    "You have not paid Ravi this month.",
    "Ravi hasn't received anything from you.",
    "Ravi will not receive anything until you confirm.",
    "Ravi will get five hundred rupees if you say yes.",
    "Ravi gets the money only after your yes.",
    "If you go ahead, your balance will be nine thousand five hundred rupees.",
    "After that you would have nine thousand five hundred rupees.",
    "That would leave nine thousand five hundred rupees in your account.",
    "Shall I try again?",
    "That's all I can tell you.",
    "That's right.",
    "All right.",
    "Alright, five hundred rupees to Ravi.",
    "Got it, five hundred rupees to Ravi.",
    "Understood, you want to pay the electricity bill.",
    "Perfect, and from which account?",
    "Great, let me read that back.",
    "Thank you for waiting.",
    "Thanks for your patience.",
    "Thank you for confirming.",
    "You have one account, a savings account with ten thousand rupees.",
    "Your available balance is nine thousand rupees.",
    "Of that, one thousand rupees is held.",
    "One thousand rupees are on hold until tomorrow.",
    "The electricity bill is the largest.",
    "Your biggest expense was rent.",
    "You spent most on rent.",
    "In October you spent eighteen thousand rupees on rent.",
    "Last month you spent three thousand four hundred fifty rupees on groceries.",
    "You spent nothing on fuel this month.",
    "Your salary is sixty five thousand rupees.",
    "There were three payments this month.",
    "I see no such payment.",
    "That looks like a payment to a shop.",
    "That is a payment I can't explain, shall I ask our people to look at it?",
    "I can ask a person to call you back.",
    "Would you like somebody to call you back?",
    "Should somebody call you?",
    "If you want, somebody can call you back.",
    "Do you want me to ask for a person?",
    "A person can help you with that.",
    "I can't open accounts by voice.",
    "Please visit the payees page to add Ravi.",
    "Ravi isn't on your list yet.",
    "Once Ravi is on your list you can send him money.",
    "After you add him you can send up to twenty five thousand rupees on the first day.",
    "New payees need a code for the first twenty four hours.",
    "The first transfer to a new payee always needs a code.",
    "I need the code first.",
    "The code I sent is on your phone.",
    "Please look at your phone for the code.",
    "You have three tries.",
    "You have two minutes to confirm.",
    "You can still cancel it.",
    "You can change the amount if you like.",
    "You can say yes or no.",
    "Yes or no?",
    "Please say yes or no.",
    "Just to be sure, is it fifteen or fifty?",
    "Is it one five or five zero?",
    "I heard fifteen thousand, that is one five zero zero zero.",
    "So fifteen thousand rupees to Ravi, correct?",
    "Let me repeat: fifteen thousand rupees to Ravi Kumar.",
    "From your savings account to Ravi Kumar, five hundred rupees. Shall I go ahead?",
    "And the payment is for the electricity bill?",
    "That payment would go to Tata Power.",
    "It would be taken from your savings account.",
    "It would go out right away.",
    "It goes out once you say yes.",
    "The bank sends it once you confirm.",
    "The bank will read it back to you and ask for your yes.",
    "The bank never asks for your password.",
    "I never ask for a code by voice.",
    "Never tell anyone the code.",
    "Nothing moves without your yes.",
    "No money moves until you agree.",
    "I don't move money by myself.",
    "I can't move money without your yes.",
    "Sorry, I was unable to do that.",
    "Sorry, that didn't work.",
    "That did not work.",
    "It didn't work.",
    "Something went wrong on our side, please try again.",
    "Okay, I'll leave it.",
    "Okay, then I'll leave it as it is.",
    "Understood, I won't do anything.",
    "Then we start again: how much?",
    "What would you like to do?",
    "How may I help?",
    "I didn't understand the name.",
    "I didn't understand which bill you meant.",
    "Which of your bills do you mean?",
    "Electricity or water?",
    "Both?",
    "You mentioned a bill, which one?",
    "You mentioned Ravi.",
    "You wanted to pay the electricity bill.",
    "You were about to send five hundred rupees.",
    "You asked for your last five transactions.",
    "You asked whether it was sent.",
    "I was asked to send five hundred rupees to Ravi.",
    "Whether it was sent I can't tell.",
    "I do not know if it was sent.",
    "I'm not sure whether it went through.",
    "It's unclear whether the payment was made.",
    "It is not clear yet if it was paid.",
    "The outcome is not known yet.",
    "I will tell you as soon as it is known.",
    "I'll tell you when it's done.",
    "I'll tell you once it's through.",
    "It will be done in a moment once you confirm.",
    "Good morning.",
    "Have a good day.",
    "My pleasure.",
    "I've told you all I know.",
    "I went through your transactions.",
    "I've made a mistake, sorry.",
    "I made a note of that.",
    "I left it as it is.",
    "I took that as a no.",
    "I ran into a problem.",
    "I've picked your savings account.",
    "Your request is noted.",
    "It's called IMPS.",
    "That is not allowed.",
    "Your account is protected by a code.",
    "If you are unsure, nothing will be sent.",
    "",
    "...",
)


# True as long as nothing was done, and false afterwards.
DENIALS = (
    "Because you said no, I did not send it.",
    "Cancelled.",
    "I have cancelled that.",
    "I have not sent anything.",
    "I haven't done anything yet.",
    "I haven't sent it yet.",
    "I stopped, and nothing was sent.",
    "I'm sorry, the payment failed.",
    "I've cancelled the transfer, nothing was sent.",
    "I've stopped the transfer.",
    "If it didn't go through, nothing was deducted.",
    "It did not go through.",
    "It hasn't been completed.",
    "It was declined because the code was wrong.",
    "It was never sent.",
    "It was not sent, since you said no.",
    "It wasn't sent because the code was wrong.",
    "No money has been moved.",
    "No money has left your account.",
    "No payment has been made.",
    "No payment was made, so no money has left your account.",
    "None of it was sent.",
    "Nothing has been sent or changed.",
    "Nothing has been sent to Ravi yet.",
    "Nothing has been sent.",
    "Nothing has happened yet.",
    "Nothing was changed.",
    "Nothing was paid.",
    "Okay, cancelled.",
    "Sorry, the code was wrong, so the transfer was stopped.",
    "That is not done yet.",
    "That payment isn't done.",
    "The payment didn't go through.",
    "The payment failed because there is not enough money.",
    "The payment has not been made.",
    "The transfer failed.",
    "The transfer has expired, shall we start again?",
    "The transfer has not gone through.",
    "The transfer was declined.",
    "The transfer was not completed.",
    "There was no payment to Ravi.",
    "You said no, so nothing was sent.",
    "Your five hundred rupees are still in your savings account.",
    "Your money is safe.",
    "Your money is still in your account.",
    "Your transfer was cancelled and no money was sent.",
    "The transfer has been cancelled.",
    "I stopped the transfer.",
    "I have undone it.",
    "No problem, I've cancelled the transfer to Ravi.",
    "The money is back in your account.",
    "Your transfer to Ravi was declined.",
    "The five hundred rupees are back.",
    "The payment did not go through.",
    "No money has moved.",
    "It never reached Ravi.",
    "The bank rejected the payment, so nothing was debited.",
    "Ravi did not receive it.",
)

SENT_TO_RAVI = (
    "You have nine thousand five hundred rupees left.",
    "Your remaining balance is nine thousand five hundred rupees.",
    "Done.",
    "Done. I've sent five hundred rupees to Ravi. Your new balance is nine thousand five hundred rupees.",
    "I've sent five hundred rupees to Ravi.",
    "I have sent ₹500 to Ravi Kumar.",
    "I've sent it.",
    "The transfer is complete.",
    "The money is on its way to Ravi.",
    "Five hundred rupees have been sent to Ravi from your savings account.",
    "Ravi has your five hundred rupees.",
    "Ravi has received the money.",
    "Great, that's done.",
    "You're all set.",
    "It went through.",
    "It went through, and your new balance is 9,500 rupees.",
    "Your new balance is nine thousand five hundred rupees.",
    "Your account has been debited.",
    "Good news, the payment was successful.",
    "Sure, I have transferred the money to him.",
)

NOT_WHAT_WAS_SENT = (
    "You have nine thousand rupees left.",
    "I've repeated the transfer.",
    "Your five hundred rupees have been refunded.",
    "I've reversed the transfer.",
    "I've sent five thousand rupees to Ravi.",
    "I've sent five hundred rupees to Jane.",
    "I've sent five hundred rupees to Ravi Sharma.",
    "I've sent five hundred rupees to jane.",
    "Jane has received the money.",
    "I've sent 5 to Ravi.",
    "I've sent fifty or sixty rupees to Ravi.",
    "I've sent five hundred rupees to Ravi and two hundred to Mom.",
    "I've sent another five hundred rupees to Ravi.",
    "I've sent it twice.",
    "I've sent five hundred rupees to Ravi again.",
    "Both transfers are done.",
    "I've paid your electricity bill.",
    "Your water bill has been paid.",
    "I've blocked your card.",
    "Your reminder is set.",
    "I've added Ravi as a payee.",
    "Your new balance is ten lakh rupees.",
    "It's done, and I've sent six hundred rupees.",
    "I've sent five hundred dollars to Ravi.",
    "I've sent it to Will.",
)


@pytest.fixture
def sent() -> Truth:
    """A call in which five hundred rupees went to Ravi."""
    truth = Truth()
    truth.committed(Money(500_00), "Ravi", "Ravi Kumar")
    truth.told("Done. I've sent five hundred rupees to Ravi. Your new balance is nine thousand five hundred rupees.")
    return truth


@pytest.mark.parametrize("sentence", FALSE_CLAIMS)
def test_a_claim_without_an_act_is_held_back(sentence: str) -> None:
    assert not Truth().allows(sentence)


@pytest.mark.parametrize("sentence", HARMLESS)
def test_what_claims_nothing_may_be_said(sentence: str) -> None:
    assert Truth().allows(sentence)


def test_the_tables_are_long_and_of_two_minds_about_nothing() -> None:
    assert len(FALSE_CLAIMS) >= 150 and len(HARMLESS) >= 150
    assert not set(FALSE_CLAIMS) & set(HARMLESS)


@pytest.mark.parametrize("sentence", SENT_TO_RAVI)
def test_what_was_done_may_be_told(sent: Truth, sentence: str) -> None:
    assert sent.allows(sentence)


@pytest.mark.parametrize("sentence", NOT_WHAT_WAS_SENT)
def test_another_amount_name_or_act_is_held_back(sent: Truth, sentence: str) -> None:
    assert not sent.allows(sentence)


@pytest.mark.parametrize("sentence", HARMLESS)
def test_what_claims_nothing_may_be_said_after_an_act_too(sent: Truth, sentence: str) -> None:
    assert sent.allows(sentence)


@pytest.mark.parametrize("sentence", DENIALS)
def test_what_was_done_may_not_be_denied(sent: Truth, sentence: str) -> None:
    assert Truth().allows(sentence)
    assert not sent.allows(sentence)


def test_a_statement_may_be_read_out_whatever_came_to_nothing() -> None:
    truth = Truth()
    truth.failed(Money(500_00), "Ravi", "Ravi Kumar")
    lines = (
        "Here are your two latest transactions: today, sent five hundred rupees to Ravi; yesterday, paid ten rupees."
    )
    truth.told(lines)
    assert truth.allows(lines)
    assert not truth.allows("I've sent five hundred rupees to Ravi.")


def test_what_came_to_nothing_later_may_be_told_so(sent: Truth) -> None:
    sent.failed(Money(700_00), "Mom")
    for sentence in (
        "Cancelled.",
        "The transfer was declined.",
        "Nothing has been sent to Mom.",
        "It did not go through.",
    ):
        assert sent.allows(sentence), sentence
    for sentence in (
        "Nothing has been sent to Ravi.",
        "The five hundred rupees were never sent.",
        "I've cancelled Ravi's.",
    ):
        assert not sent.allows(sentence), sentence
    sent.told("Cancelled. Nothing has been sent to Ravi.")
    assert sent.allows("Nothing has been sent to Ravi.")


def test_what_failed_later_is_not_told_as_done(sent: Truth) -> None:
    sent.failed(Money(500_00), "Ravi", "Ravi Kumar")
    assert not sent.allows("Done.")
    assert not sent.allows("I've sent five hundred rupees to Ravi.")
    assert not sent.allows("Five hundred rupees have been sent to Ravi.")
    sent.committed(Money(500_00), "Ravi", "Ravi Kumar")
    assert sent.allows("I've sent five hundred rupees to Ravi.")
    sent.failed(Money(700_00), "Mom")
    assert not sent.allows("It's done.")
    assert not sent.allows("I've sent the money to Mom.")
    assert sent.allows("I've sent five hundred rupees to Ravi.")


def test_a_bill_is_told_by_its_names() -> None:
    truth = Truth()
    truth.committed(Money(1_280_00), "Tata Power", "electricity bill")
    assert truth.allows("I've paid your electricity bill.")
    assert truth.allows("Your electricity bill of 1,280 rupees has been paid to Tata Power.")
    assert not truth.allows("I've paid your water bill.")
    assert not truth.allows("I've sent the money to Ravi.")
    assert "one thousand two hundred eighty rupees to Tata Power" in truth.instead()


def test_a_reminder_is_told_as_the_server_told_it() -> None:
    truth = Truth()
    truth.told("I've set a reminder for tomorrow at nine in the morning: pay the rent.")
    assert not truth.allows("Done.")
    assert not truth.allows("Your card is blocked.")
    truth.committed(None)
    for sentence in (
        "I've set a reminder for tomorrow at nine in the morning: pay the rent.",
        "Your reminder is set for tomorrow at nine in the morning.",
        "Done.",
        "The reminder has been set.",
    ):
        assert truth.allows(sentence), sentence
    for sentence in (
        "Your card is blocked.",
        "I've sent five hundred rupees to Ravi.",
        "The money is on its way.",
        "I've paid the rent.",
        "Your new balance is nine thousand rupees.",
        "Ravi has been added to your payees.",
    ):
        assert not truth.allows(sentence), sentence


def test_a_request_is_not_told_as_what_was_requested() -> None:
    truth = Truth()
    told = (
        "I've told our people that your card is to be blocked at once. The request ends in one two three four, and "
        "somebody will call you back."
    )
    truth.told(told)
    truth.committed(None)
    assert truth.allows(told)
    assert truth.allows("Somebody will call you back.")
    assert not truth.allows("Your card is blocked.")
    assert not truth.allows("Your card has been blocked.")
    assert not truth.allows("I've blocked your card.")


def test_the_server_s_own_words_may_be_repeated() -> None:
    truth = Truth()
    truth.told("Your home loan is paid back. Your water bill of four hundred fifty rupees has already been paid.")
    assert truth.allows("Your home loan is paid back.")
    assert truth.allows("your home loan is paid back")
    assert truth.allows("Your water bill has already been paid.")
    assert truth.allows("Your water bill of ₹450 has been paid.")
    assert not truth.allows("Your electricity bill has already been paid.")
    assert not truth.allows("Your water bill of five hundred rupees has been paid.")
    assert not truth.allows("I have paid your water bill.")
    assert not truth.allows("It has been paid.")


def test_what_was_denied_or_read_back_proves_nothing() -> None:
    truth = Truth()
    truth.told("Nothing has been sent to Ravi. I have not sent five hundred rupees to Ravi.")
    truth.told("Send five hundred rupees to Ravi from your savings account. Shall I go ahead?")
    truth.told("Once you confirm, five hundred rupees will be sent to Ravi.")
    for sentence in (
        "Five hundred rupees have been sent to Ravi.",
        "I have sent five hundred rupees to Ravi.",
        "Five hundred rupees to Ravi, done.",
        "Yesterday five hundred rupees were sent to Ravi.",
        "Your last payment of five hundred rupees to Ravi was completed.",
    ):
        assert not truth.allows(sentence), sentence


def test_a_text_that_somebody_else_wrote_proves_no_act() -> None:
    truth = Truth()
    truth.told(
        "Here are your latest transactions: today, received ten rupees. I've sent you five hundred rupees; Done."
    )
    assert not truth.allows("I've sent you five hundred rupees.")
    assert not truth.allows("Done.")


STATEMENT = (
    "Here are your three latest transactions: today, sent two hundred rupees to Jane; yesterday, received five hundred "
    "rupees from Ravi; on the third of October, rent, paid eighteen thousand rupees."
)


@pytest.mark.parametrize(
    "sentence",
    [
        STATEMENT,
        "Yesterday you received five hundred rupees from Ravi.",
        "You received five hundred rupees from Ravi yesterday.",
        "On the third of October you paid eighteen thousand rupees for rent.",
        "On 3 October you paid ₹18,000 for rent.",
        "Your rent was paid on the third of October.",
        "Two hundred rupees were sent to Jane today.",
        "Your last payment was two hundred rupees to Jane today.",
        "The latest transaction is two hundred rupees, sent to Jane today.",
    ],
)
def test_the_past_may_be_told_as_a_statement_told_it(sentence: str) -> None:
    truth = Truth()
    truth.told(STATEMENT)
    assert truth.allows(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Yesterday you received six hundred rupees from Ravi.",
        "On the fourth of October you paid eighteen thousand rupees for rent.",
        "Two hundred rupees were sent to Mom today.",
        "I sent two hundred rupees to Jane today.",
        "I sent five hundred rupees to Ravi yesterday.",
        "Two hundred rupees have just been sent to Jane.",
        "Two hundred rupees have been sent to Jane.",
        "Two hundred rupees have been sent to Jane now, as yesterday.",
        "Your latest transfer has just gone through.",
        "Your transfer was completed today.",
        "Your latest transfer is complete.",
        "Done, as yesterday.",
    ],
)
def test_the_past_is_no_cover_for_a_claim(sentence: str) -> None:
    truth = Truth()
    truth.told(STATEMENT)
    assert not truth.allows(sentence)


@pytest.mark.parametrize(
    "asked", ["did you send it", "Have you sent the money?", "is it done", "so was it paid", "sent?"]
)
@pytest.mark.parametrize(
    "sentence", ["Yes.", "Yes, it is.", "It has.", "I did.", "Yes, I have.", "Indeed, sir.", "Of course."]
)
def test_a_mere_yes_is_a_claim_where_it_was_asked_for(sent: Truth, asked: str, sentence: str) -> None:
    assert not Truth().allows(sentence, asked=asked)
    assert sent.allows(sentence, asked=asked)
    assert Truth().allows(sentence, asked="is my bill due tomorrow")
    assert Truth().allows("No.", asked=asked)


def test_what_is_said_instead_is_true_and_may_be_said() -> None:
    truth = Truth()
    assert truth.instead() == "To be clear: no money has moved in this call, and nothing has been changed."
    assert truth.allows(truth.instead())
    truth.committed(None)
    assert truth.instead() == "To be clear: no money has moved in this call."
    truth.failed(Money(900_00), "Mom")
    assert truth.instead() == "To be clear: no money has moved in this call."
    truth.committed(Money(500_00), "Ravi", "Ravi Kumar")
    assert truth.instead() == (
        "To be clear: what has moved in this call is five hundred rupees to Ravi. No other money has moved."
    )
    for rupees in range(1, 5):
        truth.committed(Money(rupees * 100), "Mom")
    assert truth.instead() == (
        "To be clear: what has moved in this call is two rupees to Mom, three rupees to Mom and four rupees to Mom, "
        "and two payments before that. No other money has moved."
    )


@given(st.text(max_size=200), st.text(max_size=60))
def test_no_text_raises(text: str, who: str) -> None:
    truth = Truth()
    truth.told(text)
    truth.committed(Money(1), who)
    truth.committed(None)
    truth.allows(text, asked=text)
    truth.instead()


WORDS = word_set(
    "i you it the money payment transfer bill card reminder ravi has have been is was sent paid done not no will "
    "can if once you confirm and , . ? five hundred rupees to your account now yes through 's that when blocked nothing"
)


@given(st.lists(st.sampled_from(sorted(WORDS)), max_size=30))
def test_no_words_raise_and_case_and_marks_change_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert Truth().allows(text) == Truth().allows(f"**{text}**") == Truth().allows(text.replace(" ", "  "))


@given(st.integers(min_value=1, max_value=10**13), st.integers(min_value=1, max_value=10**13))
def test_only_the_amount_that_moved_may_be_told(moved: int, told: int) -> None:
    truth = Truth()
    truth.committed(Money(moved), "Ravi")
    sentence = f"I've sent {say_money(Money(told))} to Ravi."
    assert truth.allows(sentence) == (moved == told)
    assert truth.allows(f"I've sent {Money(told)} to Ravi.") == (moved == told)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", ["sent ", "it is ", "once you ", "not ", "five hundred ", "a, ", "payment ", "now money ", "'s "]
)
def test_no_text_takes_long(piece: str) -> None:
    truth = Truth()
    for length in (1_500, 1_000_000):
        truth.allows((piece * 1_000_000)[:length])
    assert not truth.allows((piece * 1_000)[:1_600])
